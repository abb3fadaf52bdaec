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
MUTATIONS_ARGS ?= --first
GUESTS ?= all
COMPATIBILITY_ARGS ?=
N ?= 1000
# Public reports as executable cases, which are not part of the repository; CASES='forklift-* guest-dns' runs only some.
VMFERRY_CASES ?= ../shared/cases
CASES ?=
# Where tests write down which programs they ran: see tests/ran.py.
export VMFERRY_RAN ?= $(CURDIR)/build/ran

.DEFAULT_GOAL = help
.PHONY: help install testtools tools demo test cases coverage e2e e2e-flux e2e-argocd e2e-lifecycle e2e-oldest e2e-operators \
	guests browser servers mutations compatibility soak lint format golden schema docs bench clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '  make %-13s %s\n' "$$target" "$$text"; done

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

# Programs that are a module on the Go module proxy; Go checks each against its checksum database.
KUSTOMIZE = sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
KUSTOMIZE_OLDEST = sigs.k8s.io/kustomize/kustomize/v5@v5.5.0
KUBECONFORM = github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
AXE = 4.14.1
MERMAID = 11.17.2
GATEWAY_API = sigs.k8s.io/gateway-api@v1.4.1
OPA = github.com/open-policy-agent/opa@v1.10.1
# Programs with a go.mod of their own below tests/, which says what they are built from.
VCSIM = tests/vcsim
GRAFANA = tests/grafana
APISERVER = tests/e2e/apiserver
FLUX = tests/e2e/flux
ARGOCD = tests/e2e/argocd

# Built without it, kustomize says it is version (devel).
TELL = -X sigs.k8s.io/kustomize/api/provenance.version=$(lastword $(subst @, ,$(1)))

# A server is built of the newest release that builds with this Go (go.mod), and of the oldest supported (oldest.mod).
BUILD = go build -trimpath -ldflags '-s -w' $(if $(filter %-oldest,$(@F)),-modfile=oldest.mod) -o $(CURDIR)/$@

.tools/bin/kustomize .tools/bin/kubeconform .tools/bin/opa: Makefile
	@mkdir -p $(@D)
	GOBIN=$(CURDIR)/$(@D) go install -trimpath $(if $(filter kustomize,$(@F)),-ldflags '$(call TELL,$(KUSTOMIZE))') \
		$($(shell echo $(@F) | tr a-z A-Z))
	@touch $@

.tools/bin/vcsim .tools/bin/govc: $(VCSIM)/main.go $(VCSIM)/govc/main.go $(VCSIM)/go.mod $(VCSIM)/go.sum
	@mkdir -p $(@D)
	cd $(VCSIM) && $(BUILD) $(if $(filter govc,$(@F)),./govc,.)

.tools/bin/grafana-dashboard: $(GRAFANA)/main.go $(GRAFANA)/go.mod $(GRAFANA)/go.sum
	@mkdir -p $(@D)
	cd $(GRAFANA) && $(BUILD) .

# What SARIF must be, by OASIS; gosec's module has it.
.tools/sarif-schema-2.1.0.json:
	@mkdir -p $(@D)
	@module=$$(go mod download -json github.com/securego/gosec/v2@v2.30.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
		install -m 644 "$$module/report/sarif/testdata/$(@F)" $@

# Definitions of the Gateway API: its module has them. The names stand before the rule, whose targets make expands at once.
ROUTES = $(addprefix .tools/gateway-api/,httproutes.yaml tcproutes.yaml)
.tools/gateway-api/httproutes.yaml: CHANNEL = standard
.tools/gateway-api/tcproutes.yaml: CHANNEL = experimental
$(ROUTES): Makefile
	@mkdir -p $(@D)
	@module=$$(go mod download -json $(GATEWAY_API) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
		install -m 644 "$$module/config/crd/$(CHANNEL)/gateway.networking.k8s.io_$(@F)" $@

.tools/bin/kustomize-oldest: Makefile
	@mkdir -p $(@D)/oldest
	GOBIN=$(CURDIR)/$(@D)/oldest go install -trimpath -ldflags '$(call TELL,$(KUSTOMIZE_OLDEST))' $(KUSTOMIZE_OLDEST)
	@mv $(@D)/oldest/kustomize $@ && rmdir $(@D)/oldest

# etcd and kube-apiserver in one program (124 MB), and kubectl (79 MB). With the engines below, and the oldest of each, the
# first build takes half an hour on two processors; with Go's cache, one minute.
.tools/bin/apiserver .tools/bin/apiserver-oldest: $(APISERVER)/main.go
.tools/bin/apiserver .tools/bin/kubectl: $(APISERVER)/go.mod $(APISERVER)/go.sum
.tools/bin/apiserver-oldest .tools/bin/kubectl-oldest: $(APISERVER)/oldest.mod $(APISERVER)/oldest.sum
.tools/bin/apiserver .tools/bin/apiserver-oldest:
	@mkdir -p $(@D)
	cd $(APISERVER) && $(BUILD) .

.tools/bin/kubectl .tools/bin/kubectl-oldest:
	@mkdir -p $(@D)
	cd $(APISERVER) && $(BUILD) k8s.io/kubernetes/cmd/kubectl

.tools/bin/kustomize-controller: $(FLUX)/go.mod $(FLUX)/go.sum
.tools/bin/kustomize-controller-oldest: $(FLUX)/oldest.mod $(FLUX)/oldest.sum
.tools/bin/kustomize-controller .tools/bin/kustomize-controller-oldest:
	@mkdir -p $(@D)
	cd $(FLUX) && $(BUILD) github.com/fluxcd/kustomize-controller

.tools/bin/argocd-sync: $(ARGOCD)/main.go $(ARGOCD)/go.mod $(ARGOCD)/go.sum
	@mkdir -p $(@D)
	cd $(ARGOCD) && $(BUILD) .

TEST_TOOLS = $(addprefix .tools/bin/,kustomize kustomize-oldest kubeconform vcsim govc opa grafana-dashboard) .tools/sarif-schema-2.1.0.json $(ROUTES)
E2E_TOOLS = $(addprefix .tools/bin/,apiserver kubectl) $(ROUTES)
ENGINES = $(addprefix .tools/bin/,kustomize-controller argocd-sync)
OLDEST = $(addprefix .tools/bin/,apiserver-oldest kubectl-oldest kustomize-controller-oldest) $(ROUTES)

testtools: $(TEST_TOOLS) ## what no test is skipped for: kustomize, kubeconform, vcsim (a vSphere API server), govc, opa, types of Grafana and the Gateway API; takes Go

tools: $(TEST_TOOLS) $(E2E_TOOLS) $(ENGINES) $(OLDEST) ## the same, and what make e2e runs: API servers, Flux, Argo CD

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

cases: $(VENV)/.vmferry ## public reports as cases, where VMFERRY_CASES names their folder; CASES='forklift-*' for some
	@if [ -x "$(VMFERRY_CASES)/run" ]; then set -f; unset CASES; \
		VMFERRY=$(BIN)/vmferry $(BIN)/python "$(VMFERRY_CASES)/run" --except tests/cases-disputed.txt $(CASES); \
	else echo "cases are left out: no run in $(VMFERRY_CASES); set VMFERRY_CASES" >&2; fi

e2e: $(VENV)/.groups $(E2E_TOOLS) ## every example on a real API server, through all stages; takes Go
	VMFERRY_E2E=1 $(BIN)/python -m pytest -n 0 $(addprefix tests/e2e/cluster/test_,examples.py admission.py edits.py adoption.py)

e2e-flux: $(VENV)/.groups $(E2E_TOOLS) .tools/bin/kustomize-controller ## the same with Flux's kustomize-controller
	VMFERRY_E2E_FLUX=1 $(BIN)/python -m pytest -n 0 $(addprefix tests/e2e/cluster/test_,flux.py situations.py dual_run.py)

e2e-argocd: $(VENV)/.groups $(E2E_TOOLS) .tools/bin/argocd-sync ## the same with Argo CD's sync engine, health and diff
	VMFERRY_E2E_ARGOCD=1 $(BIN)/python -m pytest -n 0 $(addprefix tests/e2e/cluster/test_,argocd.py situations.py dual_run.py)

e2e-lifecycle: $(VENV)/.groups $(E2E_TOOLS) $(ENGINES) ## a migration from planned to retired, with each real engine
	VMFERRY_E2E_FLUX=1 VMFERRY_E2E_ARGOCD=1 $(BIN)/python -m pytest -n 0 tests/e2e/cluster/test_lifecycle.py

e2e-oldest: $(VENV)/.groups $(OLDEST) ## the same on the oldest API server that is supported; one example with the oldest Flux
	VMFERRY_SERVERS=oldest VMFERRY_E2E=1 $(BIN)/python -m pytest -n 0 \
		tests/e2e/cluster/test_examples.py tests/e2e/cluster/test_admission.py
	VMFERRY_SERVERS=oldest VMFERRY_E2E_FLUX=1 $(BIN)/python -m pytest -n 0 tests/e2e/cluster/test_flux.py -k minimal

e2e-operators: $(VENV)/.groups .tools/bin/kubectl ## every example on the cluster of KUBECONFIG, with its operators
	VMFERRY_E2E_OPERATORS=$${KUBECONFIG:-$$HOME/.kube/config} \
		$(BIN)/python -m pytest -n 0 tests/e2e/cluster/test_operators.py

guests: $(VENV)/.groups ## real Debian guests by real virt-v2v, booted in QEMU; Debian and root; GUESTS=cheap or names
	tests/guests/prepare.sh
	VMFERRY_GUESTS=$(GUESTS) $(BIN)/python -m pytest -n 2 tests/guests

.tools/axe/package/axe.min.js:
	@mkdir -p .tools/axe
	cd .tools/axe && npm pack --silent axe-core@$(AXE) && tar xzf axe-core-$(AXE).tgz

.tools/mermaid/package/dist/mermaid.min.js:
	@mkdir -p .tools/mermaid
	cd .tools/mermaid && npm pack --silent mermaid@$(MERMAID) && tar xzf mermaid-$(MERMAID).tgz package/dist/mermaid.min.js

browser: $(VENV)/.groups .tools/axe/package/axe.min.js .tools/mermaid/package/dist/mermaid.min.js ## the site in Debian's chromium, offline, with axe-core and mermaid; takes npm
	tests/browser/prepare.sh
	$(BIN)/python -m pip install --quiet --group browser
	VMFERRY_BROWSER=$$(command -v chromium) $(BIN)/python -m pytest -n 0 tests/browser

servers: $(VENV)/.groups ## real servers take what is written for them: Prometheus, BIND, DHCP; Debian and root, once
	tests/servers/prepare.sh
	VMFERRY_REQUIRE_SERVERS=1 $(BIN)/python -m pytest -n 0 tests/servers

mutations: $(VENV)/.groups $(TEST_TOOLS) $(E2E_TOOLS) ## faults in the backends: each is caught; MUTATIONS_ARGS=--write for docs/
	PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python tests/e2e/mutations.py $(MUTATIONS_ARGS)

compatibility: $(VENV)/.groups ## docs/compatibility.md, of the programs that tests ran; COMPATIBILITY_ARGS=--check
	$(BIN)/python tests/e2e/compatibility.py $(COMPATIBILITY_ARGS)

soak: $(VENV)/.groups ## generated estates, each counted again from its manifests alone; N=10000 takes half an hour
	$(BIN)/python -m tests.properties.soak $(N)

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

docs: $(VENV)/.groups ## write the page of every rule to docs/rules/, and docs/stages.md
	$(BIN)/vmferry rules --out docs/rules
	$(BIN)/python -m tests.stages_page

bench: $(VENV)/.groups ## beside a Jinja2 script, for 10,000 VMs; BENCH_ARGS='--growth 20000 100000', or --help
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

clean: ## remove what make made
	rm -rf build dist $(VENV) .tools
