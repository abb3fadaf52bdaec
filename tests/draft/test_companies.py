"""Drafts of companies nobody wrote a word list for are as right as an admin needs them."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from tests.draft.companies import COMPANIES, Server, Truth, tabs
from tests.importers.exports import folder
from tests.invocation import vmferry

WANTED = {"disposition": 95, "environment": 97, "kind": 85, "os": 100, "path": 95}


def draft(tmp_path: Path, company: str, servers: list[Server]) -> Path:
    export = folder(tmp_path / company, tabs(company, servers))
    run = vmferry("import", "rvtools", export, "--out", tmp_path / "inventory")
    assert run.code == 0, run.err
    run = vmferry("init", "--from", tmp_path / "inventory", "--out", tmp_path / "draft")
    assert run.code == 0, run.err
    return tmp_path / "draft"


def answers(directory: Path) -> dict[str, Truth]:
    """Return what a draft says of each VM, proposals in comments among it."""
    proposed: dict[str, str] = {}
    for line in (directory / "spec.yaml").read_text().splitlines():
        if match := re.fullmatch(r"# proposed: (rebuild|retire) (.*?): .*", line.strip()):
            proposed |= {name.strip("\"'"): match[1] for name in re.split(r", ", match[2])}
    found: dict[str, Truth] = {}
    for entry in json.loads(vmferry("explain", directory, "--all", "--format", "json").out):

        def value(field: str, entry: dict[str, dict[str, str]] = entry) -> str:
            return entry.get(field, {}).get("value", "")

        hint = proposed.get(entry["vm"])
        disposition = "template" if value("namespace").startswith("golden") else hint or value("disposition")
        path = "rebuild" if hint == "rebuild" else value("path")
        found[entry["vm"]] = Truth(disposition, value("environment"), value("kind"), "", path)
    return found


def inventory_families(directory: Path) -> dict[str, str]:
    text = "".join(path.read_text() for path in sorted((directory / "inventory").rglob("*.yaml")))
    found: list[tuple[str, str]] = re.findall(r"(?m)^- name: (\S.*)$(?:\n  .*)*?\n  os: (\w+)", text)
    return {name.strip("\"'"): family for name, family in found}


@pytest.mark.parametrize("company", COMPANIES)
def test_a_draft_is_right_of_a_company_whose_names_are_its_own(company: str, tmp_path: Path) -> None:
    servers = COMPANIES[company]()
    directory = draft(tmp_path, company, servers)
    found, families = answers(directory), inventory_families(directory)
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    wrong: list[str] = []
    for server in servers:
        answer = found[server.name]._replace(os=families.get(server.name, ""))
        for column, wanted in server.truth._asdict().items():
            if not wanted:
                continue
            asked[column] += 1
            said = getattr(answer, column)
            right[column] += said in wanted.split("|")
            if said not in wanted.split("|"):
                wrong.append(f"{server.name}: {column} {wanted}, draft {said}")
    shares = {column: 100 * right[column] / asked[column] for column in WANTED}
    assert all(shares[column] >= share for column, share in WANTED.items()), "\n".join([str(shares), *wrong])
