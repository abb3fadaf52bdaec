"""The JSON Schemas of all files written by people or vmferry, generated from the types."""

from inspect import cleandoc
from typing import Any, Literal, get_args, get_origin

import msgspec

from vmferry.model.adopted import AdoptedMachines
from vmferry.model.assignments import Assignments
from vmferry.model.evidence import Evidence
from vmferry.model.inventory import Inventory
from vmferry.model.spec import MigrationSpec, VirtualMachineSet

KINDS: dict[str, type[MigrationSpec | VirtualMachineSet | Inventory | Assignments | Evidence | AdoptedMachines]] = {
    "MigrationSpec": MigrationSpec,
    "VirtualMachineSet": VirtualMachineSet,
    "Inventory": Inventory,
    "Assignments": Assignments,
    "Evidence": Evidence,
    "AdoptedMachines": AdoptedMachines,
}
"""Every kind of file, by its `kind`."""

SCHEMA_BASE = "https://vmferry.dev/schemas/v1alpha1"


def file_name(kind: str) -> str:
    """Return the file name of a kind's schema."""
    return f"{kind.lower()}.schema.json"


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one kind. Raises KeyError for an unknown one."""
    schema = _without_null(msgspec.json.schema(KINDS[kind]))
    if not isinstance(schema, dict):  # pragma: no cover: a schema is a mapping
        raise TypeError(kind)
    definitions = schema.pop("$defs")
    _complete(KINDS[kind], definitions, set())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{SCHEMA_BASE}/{file_name(kind)}",
        **schema,
        "$defs": definitions,
    }


def _complete(model: Any, definitions: dict[str, Any], done: set[type]) -> None:
    """Add what msgspec leaves out: the description of an optional mapping, and literal keys."""
    if isinstance(model, type) and issubclass(model, msgspec.Struct) and model not in done:
        done.add(model)
        properties = definitions[model.__name__]["properties"]
        for field in msgspec.structs.fields(model):
            meta, literals = _description(field.type)
            if meta is not None:
                properties[field.encode_name].setdefault("description", meta)
            if literals:
                properties[field.encode_name].pop("propertyNames", None)  # which msgspec adds from 0.23 on, elsewhere
                properties[field.encode_name]["propertyNames"] = {"enum": literals}
            _complete(field.type, definitions, done)
    for part in get_args(model):
        _complete(part, definitions, done)


def _description(kind: Any) -> tuple[str | None, list[str]]:
    """Return the description of a field's type, and the keys if it is a mapping of literals."""
    described = [item for part in (kind, *get_args(kind)) for item in getattr(part, "__metadata__", ())]
    text = next((item.description for item in described if item.description), None)
    bare = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    key = get_args(bare)[0] if get_origin(bare) is dict else None
    return text, sorted(get_args(key)) if get_origin(key) is Literal else []


def _without_null(node: Any) -> Any:
    """Drop ``null`` alternatives: in a file, an absent key means that; a key without a value is refused."""
    if isinstance(node, list):
        return [_without_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    result.pop("discriminator", None)  # OpenAPI's, not JSON Schema's
    if isinstance(text := result.get("description"), str):
        result["description"] = cleandoc(text)  # msgspec before 0.23 leaves a docstring's indentation
    options = result.get("anyOf")
    if isinstance(options, list):
        options = [option for option in options if option != {"type": "null"}]
        if len(options) == 1:
            del result["anyOf"]
            # a description beside the alternatives is the field's own and wins
            return {**options[0], **result}
        result["anyOf"] = options
    return result


def bundle() -> dict[str, Any]:
    """Return one JSON Schema that accepts any of the files."""
    schemas = {kind: json_schema(kind) for kind in KINDS}
    definitions: dict[str, Any] = {}
    for schema in schemas.values():
        definitions |= schema["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{SCHEMA_BASE}/vmferry.schema.json",
        "title": "A file of a vmferry migration",
        "anyOf": [{"$ref": f"#/$defs/{kind}"} for kind in KINDS],
        "$defs": dict(sorted(definitions.items())),
    }
