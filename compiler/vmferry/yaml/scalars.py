"""Types of plain scalars, and those on which YAML readers disagree."""

import math
import re

from vmferry.model.rule import declare

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_RADIX = re.compile(r"[-+]?0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:[eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-._0123456789")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = frozenset(("true", "True", "TRUE", "false", "False", "FALSE"))
_MAX_INT_DIGITS = 19  # of 2**63 - 1

_QUOTE = "Put it in quotes if it is text"


def _is_number(value: str) -> bool:
    return any(shape.fullmatch(value) for shape in (_FLOAT, _RADIX, _NOT_FINITE))


def kind_of(value: str) -> str:
    """Return the type of a plain scalar in YAML 1.2 (core schema, section 10.3.2); "" for a string."""
    if value in _NULL:
        return "empty" if value == "" else "null"
    if value in _BOOL:
        return "a boolean"
    return "a number" if value[0] in _NUMBER_START and _is_number(value) else ""


AMBIGUOUS_SCALAR = declare(
    "VMF010",
    "error",
    "scalar that YAML readers disagree on",
    why="`012` is twelve to one tool and ten to the next, and `0x1F` is a number or a word. What is compiled must not "
    "depend on whether vmferry, an editor or kustomize read the file.",
    source="YAML 1.1 (yaml.org/type/int.html, float.html, merge.html) against YAML 1.2.2, section 10.3.2",
)


def disagreement(value: str) -> tuple[str, str] | None:
    """Return why readers disagree on a plain scalar and what to write instead, or None."""
    if value == "<<":
        return "merge keys (`<<`) are not part of YAML 1.2", "Write the fields out."
    if value == "=":
        return "a plain `=` has a meaning of its own in YAML 1.1", "Put it in quotes."
    if value[:1] not in _NUMBER_START:
        return None
    if _RADIX.fullmatch(value):
        return (
            "YAML readers disagree on hexadecimal, octal and binary numbers",
            f"{_QUOTE}, or use decimals.",
        )
    if _NOT_FINITE.fullmatch(value):
        return "infinity and not-a-number are not accepted", f"{_QUOTE}, or use a finite number."
    if "_" in value:
        bare = value.replace("_", "")
        if _is_number(bare):
            return (
                "some YAML readers drop the `_` and read a number",
                f"{_QUOTE}, or write only the digits.",
            )
        return None
    if _LEADING_ZERO.fullmatch(value):
        return (
            "some YAML readers take a number with a leading zero as octal, others as decimal or text",
            f"{_QUOTE}, or remove the leading zero.",
        )
    return _out_of_range(value)


def _out_of_range(value: str) -> tuple[str, str] | None:
    if _INT.fullmatch(value):
        # Count digits first: int() refuses very long numbers, or is slow.
        if len(value.lstrip("+-")) > _MAX_INT_DIGITS or not -(2**63) <= int(value) < 2**63:
            return "the number does not fit into 64 bits", f"{_QUOTE}, such as a serial number."
    elif _FLOAT.fullmatch(value) and math.isinf(float(value)):
        return "the number is too large for a 64-bit float", f"{_QUOTE}, such as a serial number."
    return None
