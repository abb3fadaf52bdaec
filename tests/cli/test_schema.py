"""Tests of `vmferry schema` and of the schemas that are committed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.invocation import vmferry

from vmferry.load.schema import KINDS, file_name

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


@pytest.mark.parametrize("kind", KINDS)
def test_committed_schema_is_what_the_types_give(kind: str) -> None:
    assert vmferry("schema", kind).out == (SCHEMAS / file_name(kind)).read_text()


def test_schemas_are_written_a_file_a_kind(tmp_path: Path) -> None:
    assert vmferry("schema", "--out", tmp_path / "new").code == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert written == {file_name(kind): (SCHEMAS / file_name(kind)).read_bytes() for kind in KINDS}


def test_kind_is_found_in_any_case() -> None:
    assert vmferry("schema", "migrationspec").out == vmferry("schema", "MigrationSpec").out


@pytest.mark.parametrize("kind", [*KINDS, None])
def test_schema_is_valid(kind: str | None) -> None:
    jsonschema.Draft202012Validator.check_schema(vmferry("schema", *filter(None, [kind])).data)


@pytest.mark.parametrize("kind", ["MigrationSpec", "VirtualMachineSet"])
def test_every_property_is_described(kind: str) -> None:
    assert list(undescribed(vmferry("schema", kind).data)) == []


@pytest.mark.parametrize("kind", ["MigrationSpec", "VirtualMachineSet"])
def test_no_mapping_takes_unknown_keys(kind: str) -> None:
    definitions = vmferry("schema", kind).data["$defs"]
    loose = [name for name, item in definitions.items() if "properties" in item and item.get("additionalProperties")]
    assert loose == []
    assert all(item["additionalProperties"] is False for item in definitions.values() if "properties" in item)


def undescribed(node: Any, path: str = "") -> Iterator[str]:
    """Yield the properties that say nothing of themselves; a tag is described by its union."""
    if isinstance(node, dict):
        for name, item in node.get("properties", {}).items():
            if "description" not in item and name != "type":
                yield f"{path}/{name}"
        for key, item in node.items():
            yield from undescribed(item, f"{path}/{key}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from undescribed(item, f"{path}/{index}")
