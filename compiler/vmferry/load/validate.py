"""Validates one document against its type: fast if it fits, with readable messages if not."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from vmferry.estate.statements import SCHEMA_MISFIT, SECRET_MATERIAL
from vmferry.load.schema import file_name
from vmferry.model import base
from vmferry.model.finding import Finding, Path, Where
from vmferry.model.inventory import Inventory
from vmferry.model.rule import declare
from vmferry.shipped import shipped
from vmferry.yaml.text import UNFIT, UNFIT_CHARACTER

T = TypeVar("T")

_SECRET_KEY = re.compile(
    r"passw|passphrase|pass$|pwd|^pw$|secret|token|credential|(api|private|access|auth)[_-]?key|^user(name)?$|^login$",
    re.IGNORECASE,
)
_SECRET_ENV = re.compile(r"passw|passphrase|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
# Bounded, and without a leading run of letters: they are applied to lines of a megabyte.
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY|://[^\s/:@'\"]{0,256}:(?![0-9]+/)[^\s@'\"]{1,256}@"
    # a token as the user in a URL; Azure DevOps has the organisation there, which is also the first folder
    r"|\bhttps?://(?!git@|([^\s/:@'\"?#]{1,256})@dev\.azure\.com/\1/)[^\s/@'\"?#]{1,256}@"
    # USER:PASSWORD@HOST/... without a scheme, as for images; a digest is not followed by a slash
    r"|(?<![^\s'\"\[{,(])[^\s/:@'\"\[\]{},]{1,256}:[^\s/@'\"]{1,256}@[^\s/@'\"]{1,256}/"
)
_SECRET_WORD = re.compile(
    r"(?:passw|passphrase|pwd|secret|token|credential|(?:api|private|access|auth)[_-]?key)"
    r"[A-Za-z0-9_-]{0,40}(?=[\"']?[ \t]{0,8}[:=])",
    re.IGNORECASE,
)
_KEY_START = re.compile(r"[A-Za-z0-9_-]*\Z")
_CREDENTIALS = frozenset(("credentials", "conversionCredentials", "secretRef", "externalSecret", "secretKeyRef"))
_REFERENCES = _CREDENTIALS | {"gitSecret", "sopsSecret", "luksSecret", "envFromSecrets"}
_ADDRESS = re.compile("(?:image|url)$", re.IGNORECASE)
_HIDDEN = re.compile(r"\\[xuU]|" + UNFIT.pattern)  # raw, or as a YAML escape
_USE_REFERENCE = "refer to a Secret instead (credentials.secretRef, externalSecret or file), and change what leaked"


class _Hints(NamedTuple):
    """What a file may contain, so that its documents are searched for it."""

    secret: bool
    hidden: bool
    variable: bool
    todo: bool


@lru_cache(maxsize=4)
def _hints(text: str) -> _Hints:
    """Search a text once, however many documents it has."""
    return _Hints(
        secret=_SECRET_TEXT.search(text) is not None,
        hidden=_HIDDEN.search(text) is not None,
        variable="${" in text,
        todo="TODO" in text,
    )


def convert(data: Any, kind: type[T], where: Where, text: str) -> tuple[T | None, list[Finding]]:
    """Return the typed document, or its errors. ``text`` is the file's text, for cheap tests."""
    findings = _empty(data, where)
    if (
        kind is not Inventory
    ):  # names and notes in vCenter are facts and accepted as they are, until a manifest contains one
        findings = [*_secrets(data, where, text), *findings, *_hygiene(data, where, text)]
    hidden = {finding.where.path for finding in findings if finding.where is not None}
    try:
        value = msgspec.convert(data, kind, strict=True)
    except msgspec.ValidationError as error:
        findings += [f for f in _explain(data, kind, where, error) if f.where is None or f.where.path not in hidden]
        return None, findings
    return (value if not findings else None), findings


_PLACEHOLDER = re.compile(r"TODO(?: .*)?", re.DOTALL)
_NAMES = frozenset(("name", "id", "source", "match", "reason", "annotation", "customAttributes", "tags", "namespace"))
"""Keys below which TODO may be a name in vSphere, or text."""
_STAND_INS: dict[Path, str] = {
    ("vcenter", "url"): "https://vcenter.invalid/sdk",
    ("gitops", "repoURL"): "https://git.invalid/gitops",
}
"""Values for required fields, so that the rest of a draft can be checked; nothing is compiled from them."""


def settle(data: Any, kind: type[Any], where: Where, text: str) -> list[Finding]:
    """Report open decisions, `TODO` or `TODO …`, and replace them with valid values, so that the rest can be checked.

    Changes ``data``: values that do not fit their type are removed or replaced, and so are facts of a VM. The findings
    are errors.
    """
    if kind is Inventory or not _hints(text).todo:
        return []
    places = {
        path: value for path, value in _strings(data) if _PLACEHOLDER.fullmatch(value) and _NAMES.isdisjoint(path)
    }
    if not places:
        return []
    misfits = {found.where.path: found for found in _misfits(data, kind, where) if found.where is not None}
    result = []
    for path, value in places.items():
        misfit = misfits.get(path)
        if misfit is not None and misfit.code != SCHEMA_MISFIT.code:
            continue  # the key is wrong, whatever its value
        help_text = "replace TODO with a value" + (f": {misfit.help}" if misfit is not None and misfit.help else "")
        message = f"{_name(path)} is still to be decided: {value.splitlines()[0][:80]}"
        result.append(SCHEMA_MISFIT.finding(message, help_text, where=where.at(*path)))
        if misfit is not None:
            _stand_in(data, path)
    return result


def _stand_in(data: Any, path: Path) -> None:
    """Replace a value with a valid one, if possible."""
    node = data
    for step in path[:-1]:
        node = node[step]
    if path[-2:] in _STAND_INS:
        node[path[-1]] = _STAND_INS[path[-2:]]
    elif path[0] == "vms" and len(path) > 2:  # a fact: unknown, or the inventory's
        data["vms"][path[1]].pop(path[2], None)


_AROUND = 1000  # characters; a line may have a million


def may_be_secret(line: str, column: int = 1) -> bool:
    """Return whether a line of a file may contain a secret around a column, by its appearance.

    Such a line is never shown.
    """
    line = line[max(0, column - _AROUND) : column + _AROUND]
    if _SECRET_TEXT.search(line):
        return True
    for match in _SECRET_WORD.finditer(line):
        before = _KEY_START.search(line[max(0, match.start() - 40) : match.start()])
        if (before[0] if before else "") + match[0] not in _REFERENCES:
            return True
    return False


def _strings(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every string value below a node with its path."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _strings(value, (*path, index))


KEY_WITHOUT_VALUE = declare(
    "VMF017",
    "error",
    "key without a value",
    why="It may mean that the value is unknown, that there is none, or that someone forgot it, and the three lead to "
    "different migrations. Write `[]` for a list that is known to be empty, and leave out what nobody knows.",
)


def _empty(data: Any, where: Where) -> list[Finding]:
    """Return the keys without a value."""
    if b"null" not in msgspec.json.encode(data):  # ten times as fast as checking every value
        return []
    return [
        KEY_WITHOUT_VALUE.finding(
            f"{_name(path)} has no value",
            "give it one, or remove the key: an absent fact is unknown, not empty",
            where=where.at(*path, key=isinstance(path[-1], str)),
        )
        for path in _nulls(data)
    ]


FLUX_SUBSTITUTION = declare(
    "VMF016",
    "error",
    "`${` would be substituted by Flux",
    why="A Flux Kustomization with `postBuild` replaces `${NAME}` with a value before it applies a manifest, and with "
    "nothing if the name is unknown. A start command would reach the cluster with holes in it.",
    source="https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution",
)


def _hygiene(data: Any, where: Where, text: str) -> Iterator[Finding]:
    """Yield values that kustomize cannot read, and values that Flux would substitute."""
    if _hints(text).hidden:
        for path, value in _strings(data):
            if UNFIT.search(value):
                yield UNFIT_CHARACTER.finding(
                    "a character that kustomize cannot read (U+007F, U+FFFE or U+FFFF)",
                    "take it out of the name; vCenter shows it as nothing, or as a box",
                    where=where.at(*path),
                )
    if _hints(text).variable:
        for path, value in _strings(data):
            if "${" in value:
                yield FLUX_SUBSTITUTION.finding(
                    "`${` in a value: Flux would replace it (postBuild), with nothing if the variable is unset",
                    "write $(NAME) for a container's variable, or keep the text in a ConfigMap or Secret",
                    where=where.at(*path),
                )


def _nulls(data: Any) -> Iterator[Path]:
    stack: list[tuple[Path, Any]] = [((), data)]
    while stack:
        path, node = stack.pop()
        items: Iterable[tuple[str | int, Any]] = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            if value is None:
                yield (*path, key)
            elif isinstance(value, dict | list):
                stack.append(((*path, key), value))


def _secrets(data: Any, where: Where, text: str) -> Iterator[Finding]:
    """Yield secret material: by its appearance, and variables by their name."""
    if _hints(text).secret:
        for path, value in _strings(data):
            if _SECRET_TEXT.search(value):
                yield _secret(where.at(*path), "a private key, or an address with a password or a token")
    for path, kind, name in _named_values(data):
        if _SECRET_ENV.search(name):
            yield _secret(where.at(*path), f"{kind} {name} with its value")


def _named_values(data: Any) -> Iterator[tuple[Path, str, str]]:
    """Yield literal environment variables and custom attributes: the places with free names and values."""
    vms = data.get("vms") if isinstance(data, dict) else None
    for index, vm in enumerate(vms if isinstance(vms, list) else ()):
        if not isinstance(vm, dict):
            continue
        application = vm.get("application")
        variables = application.get("env") if isinstance(application, dict) else None
        for number, variable in enumerate(variables if isinstance(variables, list) else ()):
            if isinstance(variable, dict) and "value" in variable:
                path = ("vms", index, "application", "env", number, "value")
                yield path, "variable", str(variable.get("name"))
        attributes = vm.get("customAttributes")
        for name in attributes if isinstance(attributes, dict) else ():
            yield ("vms", index, "customAttributes", name), "custom attribute", str(name)


def _secret(where: Where, what: str) -> Finding:
    return SECRET_MATERIAL.finding(
        f"secret material in a spec: {what}",
        _USE_REFERENCE,
        where=where,
        secret=True,
    )


def _explain(data: Any, kind: type[Any], where: Where, error: msgspec.ValidationError) -> list[Finding]:
    """Report misfits in readable messages, by the JSON Schema, which finds all of them at once."""
    found = _misfits(data, kind, where)
    if found or next(_nulls(data), None) is not None:  # keys without a value are reported by _hygiene
        return found
    return [_as_msgspec_says(error, where)]


def _misfits(data: Any, kind: type[Any], where: Where) -> list[Finding]:
    """Return all violations of a kind's JSON Schema."""
    import jsonschema  # slow to import, and only needed here

    schema = json.loads((shipped("schemas") / file_name(kind.__name__)).read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    return [f for problem in validator.iter_errors(data) for f in _translate(problem, (), where)]


_SAYS = re.compile(r"(?P<what>.*?) - at (?:`key` in )?`\$(?P<path>[^`]*)`", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[([0-9]+)\]")


def _as_msgspec_says(error: msgspec.ValidationError, where: Where) -> Finding:
    """Report what the JSON Schema accepts but the types do not: 2.0 for a count."""
    said = _SAYS.fullmatch(str(error))
    what, path = (said["what"], said["path"]) if said else (str(error), "")
    steps: list[str | int] = [name or int(index) for name, index in _STEP.findall(path.partition("[...]")[0])]
    return SCHEMA_MISFIT.finding(f"{_name(tuple(steps))}: {what}", where=where.at(*steps))


def _translate(problem: Any, above: Path, where: Where) -> Iterator[Finding]:
    path: Path = (*above, *problem.path)
    rule, wanted, value = problem.validator, problem.validator_value, problem.instance
    name = _name(path)
    if value is None:
        return
    if rule == "additionalProperties" and isinstance(wanted, bool):
        known = problem.schema.get("properties", {})
        for key in value:
            if key not in known:
                yield _unknown(key, value, known, name, where.at(*path, key, key=True))
    elif rule == "required":
        missing = [key for key in wanted if key not in value]
        if problem.message.startswith(f"{missing[0]!r}"):  # one problem per key; report all at the first
            yield SCHEMA_MISFIT.finding(
                f"{name} lacks {_list(missing)}",
                _describe(problem.schema["properties"][missing[0]]),
                where=where.at(*path),
            )
    elif rule == "anyOf":
        yield from _alternatives(problem, path, where)
    elif "propertyNames" in problem.schema_path:
        yield SCHEMA_MISFIT.finding(
            f"the key {_shown(value)} in {name} {_wanted(rule, wanted, problem.schema)}",
            _describe(problem.schema),
            where=where.at(*path, value, key=True),
        )
    else:
        private = _may_hold_secret(path, value)
        yield SCHEMA_MISFIT.finding(
            f"{name} {_wanted(rule, wanted, problem.schema)}" + ("" if private else f", not {_shown(value)}"),
            _help(rule, wanted, "" if private else value, problem.schema),
            where=where.at(*path),
            secret=private,
            fix=None if private else _right(rule, wanted, value, problem.schema),
        )


_DOTTED_MAC = re.compile(r"([0-9A-Fa-f]{4})\.([0-9A-Fa-f]{4})\.([0-9A-Fa-f]{4})")


def _right(rule: str, wanted: Any, value: Any, schema: dict[str, Any]) -> str | None:
    """Return the correct replacement of a value, if there is exactly one; `{}` in it is the current value."""
    if rule == "type" and wanted == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return '"{}"' if _fits_quoted(value, schema) else None
    if rule == "type" and wanted == "integer" and isinstance(value, str) and re.fullmatch("0|[1-9][0-9]*", value):
        return value
    if rule == "enum" and isinstance(value, str):
        same = [word for word in wanted if isinstance(word, str) and word.lower() == value.lower().replace("_", "")]
        return same[0] if len(same) == 1 else None
    if rule == "pattern" and _forms().get(wanted) == "A MAC address." and (match := _DOTTED_MAC.fullmatch(value)):
        digits = "".join(match.groups())
        return '"' + ":".join(digits[i : i + 2] for i in range(0, 12, 2)) + '"'
    return None


def _fits_quoted(value: float, schema: dict[str, Any]) -> bool:
    """Return whether a number is plausible and only lacks quotes: `memory: 8` hardly means eight bytes."""
    pattern = schema.get("pattern", "")
    return not _forms().get(pattern, "").startswith("Bytes") and re.search(pattern, str(value)) is not None


def _may_hold_secret(path: Path, value: Any) -> bool:
    """Return whether a value in the wrong place may be a password."""
    if isinstance(value, str) and any(step in _CREDENTIALS for step in path):
        return True
    if isinstance(value, str) and "@" in value and _ADDRESS.search(str(path[-1]) if path else ""):
        return True
    return isinstance(value, dict | list | str) and may_be_secret(json.dumps(value, ensure_ascii=False, default=str))


def _alternatives(problem: Any, path: Path, where: Where) -> Iterator[Finding]:
    """Report the misfits of the intended alternative: by its ``type``, otherwise by the kind of value."""
    value, root = problem.instance, problem
    options: list[dict[str, Any]] = problem.validator_value
    branches: dict[int, list[Any]] = {}
    for sub in root.context:
        branches.setdefault(sub.schema_path[0], []).append(sub)
    tag = value.get("type") if isinstance(value, dict) else None
    if isinstance(value, dict) and any(_tag_problem(sub) for subs in branches.values() for sub in subs):
        for subs in branches.values():
            if not any(_tag_problem(sub) for sub in subs):
                for sub in subs:
                    yield from _translate(sub, path, where)
                return
        tags = sorted({str(word) for subs in branches.values() for sub in subs for word in _tag_words(sub)})
        message = f"{_name(path)} has unknown type {_shown(tag)}" if tag is not None else f"{_name(path)} lacks `type`"
        place = where.at(*path, "type") if tag is not None else where.at(*path)
        yield SCHEMA_MISFIT.finding(message, f"one of {', '.join(tags)}{_mean(tag, tags)}", where=place)
        return
    fitting = [subs for subs in branches.values() if not any(sub.validator == "type" and not sub.path for sub in subs)]
    if len(fitting) == 1:
        for sub in fitting[0]:
            yield from _translate(sub, path, where)
        return
    kinds = [
        _list(option["enum"], "or") if "enum" in option else _WORDS.get(option.get("type", "object"), "something else")
        for option in options
    ]
    private = _may_hold_secret(path, value)
    yield SCHEMA_MISFIT.finding(
        f"{_name(path)} must be {' or '.join(kinds)}" + ("" if private else f", not {_shown(value)}"),
        where=where.at(*path),
        secret=private,
    )


def _tag_problem(sub: Any) -> bool:
    return (list(sub.path) == ["type"] and sub.validator == "enum") or (
        sub.validator == "required" and not sub.path and sub.message.startswith("'type'")
    )


def _tag_words(sub: Any) -> list[Any]:
    if sub.validator == "enum" and list(sub.path) == ["type"]:
        return list(sub.validator_value)
    tag = sub.schema.get("properties", {}).get("type", {}) if isinstance(sub.schema, dict) else {}
    return list(tag.get("enum", ()))


UNKNOWN_FIELD = declare(
    "VMF014",
    "error",
    "unknown field",
    why="A misspelt field would be dropped silently and its default would apply: the VM would take another path, or "
    "land in another namespace, than the spec seems to say.",
)


def _unknown(key: str, present: dict[str, Any], known: dict[str, Any], parent: str, where: Where) -> Finding:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    if _SECRET_KEY.search(key) and not close:
        return _secret(where, f"`{key}`")
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    folded = [name for name in known if name.lower() == key.lower().replace("_", "").replace("-", "")]
    guess = (folded or close)[:1]
    return UNKNOWN_FIELD.finding(
        f"unknown field `{key}` in {parent}" + (f"; did you mean `{guess[0]}`?" if guess else ""),
        _describe(known[guess[0]]) if guess else f"known fields: {', '.join(sorted(known))}",
        where=where,
        secret=bool(_SECRET_KEY.search(key)),
        fix=folded[0] if len(folded) == 1 and folded[0] not in present else None,
    )


def _name(path: Path) -> str:
    """Return a readable field name: the last keys of a path."""
    if not path:
        return "the file"
    return "`" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") + "`"


def _wanted(rule: str, wanted: Any, schema: dict[str, Any]) -> str:
    match rule:
        case "type":
            return f"must be {_WORDS.get(wanted, wanted)}"
        case "enum":
            return f"must be {_list(wanted, 'or')}"
        case "minimum" | "maximum":
            return f"must be from {schema.get('minimum', '…')} to {schema.get('maximum', '…')}"
        case "pattern":
            return "has the wrong form"
        case "minLength" | "maxLength" | "minItems" | "maxItems":
            bound = "at least" if rule.startswith("min") else "at most"
            noun = "item" if rule.endswith("Items") else "character"
            return f"must have {bound} {wanted} {noun}{'' if wanted == 1 else 's'}"
        case _:
            return f"does not fit ({rule} {wanted!r})"


_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "a string",
}


def _help(rule: str, wanted: Any, value: Any, schema: dict[str, Any]) -> str:
    if rule == "enum" and isinstance(value, str):
        return _describe(schema) + _mean(value, [str(word) for word in wanted])
    if rule == "type" and wanted == "string":
        quoted = isinstance(value, int | float) and _fits_quoted(value, schema)
        return f'quote it: "{value}"' if quoted else _describe(schema)
    if rule == "type" and wanted == "boolean":
        return "only true and false, without quotes, are booleans in YAML 1.2"
    if rule == "type" and wanted == "integer" and isinstance(value, str) and value.isdecimal():
        return f"without quotes: {value}"
    if rule == "pattern":
        return _describe(schema, _forms().get(wanted, ""))
    return _describe(schema)


@cache
def _forms() -> dict[str, str]:
    """Return the description of each form of text, by pattern; a field's own description hides it in the schema."""
    metas = [item for kind in vars(base).values() for item in getattr(kind, "__metadata__", ())]
    return {meta.pattern: meta.description for meta in metas if meta.pattern and meta.description}


def _mean(value: Any, words: list[str]) -> str:
    close = difflib.get_close_matches(str(value), words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _describe(schema: dict[str, Any], form: str = "") -> str:
    """Return the description of a field, its form, and an example, each once."""
    described = str(schema.get("description", ""))
    example = [f"Example: {each}" for each in schema.get("examples", ())[:1]]
    return " ".join(dict.fromkeys(part for part in (described, form, *example) if part))


def _shown(value: Any) -> str:
    """Return a value on one line, truncated."""
    shown = json.dumps(value, ensure_ascii=True, default=str)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _list(words: Iterable[Any], last: str = "and") -> str:
    items = [f"`{word}`" for word in words]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
