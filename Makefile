# Works on a machine with Python 3.11 or later, git and make. `make help` lists what there is.

# The first interpreter that is recent enough; say PYTHON=… to choose another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; done)
VENV ?= .venv
BIN = $(VENV)/bin

DEMO ?= acme
DEMO_VM ?= db-01
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=

.DEFAULT_GOAL = help
.PHONY: help install tools demo test coverage e2e lint format golden schema docs bench clean

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  make %-8s %s\n' "$$target" "$$text"; done

# pip before 25.1 does not know --group.
$(VENV)/.pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.vmferry: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.groups: $(VENV)/.vmferry
	$(BIN)/python -m pip install --quiet --group test --group lint
	@touch $@

install: $(VENV)/.groups ## vmferry and what developing it takes, into .venv

# vcsim is built from govmomi's simulator, pinned in tests/vcsim/go.mod.
.tools/bin/vcsim: tests/vcsim/main.go tests/vcsim/go.mod tests/vcsim/go.sum
	@mkdir -p $(@D)
	cd tests/vcsim && go build -trimpath -o ../../$@ .

# What SARIF must be, by OASIS; gosec's module has it, and Go checks a module against its checksum database.
.tools/sarif-schema-2.1.0.json:
	@mkdir -p $(@D)
	@module=$$(go mod download -json github.com/securego/gosec/v2@v2.30.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
		install -m 644 "$$module/report/sarif/testdata/$(@F)" $@

# Open Policy Agent runs Forklift's policies; the version needs no newer Go than vcsim.
.tools/bin/opa:
	@mkdir -p $(@D)
	GOBIN=$(CURDIR)/$(@D) go install -trimpath github.com/open-policy-agent/opa@v1.10.1

tools: .tools/bin/vcsim .tools/bin/opa .tools/sarif-schema-2.1.0.json ## what tests need: vcsim (a vSphere API server), opa and the schema of SARIF; takes Go

# etcd and kube-apiserver in one program (107 MB), and kubectl (79 MB). The first build takes twelve minutes on two
# busy processors; with Go's cache, half a minute.
APISERVER = tests/e2e/apiserver
.tools/bin/apiserver: $(APISERVER)/main.go $(APISERVER)/go.mod $(APISERVER)/go.sum
	@mkdir -p $(@D)
	cd $(APISERVER) && go build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ .

.tools/bin/kubectl: $(APISERVER)/go.mod $(APISERVER)/go.sum
	@mkdir -p $(@D)
	cd $(APISERVER) && go build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ k8s.io/kubernetes/cmd/kubectl

demo: $(VENV)/.vmferry ## compile an example into build/demo and explain one VM
	@rm -rf build/demo
	@mkdir -p build
	@cp -R examples/$(DEMO) build/demo
	@rm -rf build/demo/gitops
	$(BIN)/vmferry compile build/demo --out build/demo
	@echo
	@echo "Directories of build/demo/gitops, each with the number of files below it:"
	@cd build/demo/gitops && find . -mindepth 1 -maxdepth 3 -type d | LC_ALL=C sort | while read -r each; do \
		depth=$$(printf '%s' "$$each" | tr -cd / | wc -c); \
		printf '%*s%s/ %s\n' $$((depth * 2)) '' "$${each##*/}" "$$(find "$$each" -type f | wc -l | tr -d ' ')"; done
	@echo
	$(BIN)/vmferry explain build/demo $(DEMO_VM)

test: $(VENV)/.groups ## run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

e2e: $(VENV)/.groups .tools/bin/apiserver .tools/bin/kubectl ## every example on a real API server; takes Go
	VMFERRY_E2E=1 $(BIN)/python -m pytest -n 0 tests/e2e/cluster

coverage: $(VENV)/.groups ## every rule is tried both ways: at least 95 % of the branches of rules/
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/rules tests/cli/test_rules.py --cov=vmferry.rules --cov-branch \
		--cov-config=/dev/null --cov-report=term --cov-fail-under=95

lint: $(VENV)/.groups ## ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.groups ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/.groups ## compile every example over its golden output: review the diff
	$(BIN)/python tests/golden/regenerate.py

schema: $(VENV)/.vmferry ## write the JSON Schemas of the spec's files to schemas/
	$(BIN)/vmferry schema --out schemas

docs: $(VENV)/.vmferry ## write the page of every rule to docs/rules/
	$(BIN)/vmferry rules --out docs/rules

bench: $(VENV)/.groups ## seconds, memory and growth for 100, 1,000 and 10,000 VMs
	$(BIN)/python tests/bench/bench.py $(BENCH_ARGS)

clean: ## remove what make made
	rm -rf build dist $(VENV) .tools
