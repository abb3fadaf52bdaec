"""Writes one value as block-style YAML that every reader, 1.1 or 1.2, reads back as the same value."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

# No leading "_": yaml-rs reads `_1` as a number.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")

# Words that some readers do not read as a string.
_RESERVED = frozenset(
    ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nil", "nan", "inf", "infinity")
)

# Controls, line breaks that only YAML 1.1 knows, non-characters, and what a reviewer cannot see: zero-width characters,
# changes of direction. Spelled out because str.isprintable() depends on Python's version of Unicode, and the same input
# must give the same bytes everywhere. Lone surrogates fail later, when the text is encoded.
_INVISIBLE = (
    "\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ufdd0-\\ufdef\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff\\U000e0000-\\U000e007f"
) + "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(1, 0x11))
_SPECIAL = re.compile(f'["\\\\{_INVISIBLE}]')
_HIDDEN = re.compile(f"[{_INVISIBLE}]")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

# What prevents a block literal: a first line that hides the indentation, trailing blanks (editors strip them), a tab
# where indentation is expected, an empty last line, an invisible character.
_NOT_LITERAL = re.compile(rf"\A[ \t\n]|[ \t](?:\n|\Z)|\n\t|\n\n\Z|(?![\t\n])[{_INVISIBLE}]")

_LONGEST_KEY = 1000  # libyaml refuses a key of 1,024 characters or more unless `? ` introduces it


def dump(value: Mapping[str, Any] | Sequence[Any], comment: str = "") -> bytes:
    """Return ``value`` as one UTF-8 YAML document that ends with a newline.

    ``value`` is made of mappings with string keys (their order is kept), lists, tuples, strings, booleans, None, 64-bit
    integers and finite floats. Each line of ``comment`` becomes a ``# `` line at the top. Raises TypeError for any
    other type, and ValueError for values that readers cannot return: a lone surrogate, an infinite float or NaN, an
    integer of more than 64 bits, a key of more than about 1,000 characters.
    """
    parts = [f"# {_HIDDEN.sub(_escape, line)}".rstrip() + "\n" for line in comment.split("\n")] if comment else []
    value = _exact(value)
    if type(value) is dict and value:
        parts.append(_mapping(value, ""))
    elif type(value) is list and value:
        parts.append(_sequence(value, ""))
    elif value == {} or value == []:
        parts.append(f"{value}\n")
    else:
        raise TypeError(f"a document is a mapping or a list, not {type(value).__name__}")
    return "".join(parts).encode()


def _mapping(mapping: dict[str, Any], pad: str) -> str:
    """Return a non-empty mapping as lines with the indentation ``pad``.

    The first line has none, because it may follow a dash.
    """
    lines: list[str] = []
    for key, item in mapping.items():
        kind = type(item)
        if kind is str:
            text = _line[item]
            lines.append(_key[key] + (_literal(item, pad) if text is None else text))
        elif kind is dict and item:
            inner = pad + "  "
            lines.append(f"{_key[key]}\n{inner}{_mapping(item, inner)}")
        elif kind is list and item:
            lines.append(f"{_key[key]}\n{pad}{_sequence(item, pad)}")
        elif kind in _SCALARS:
            lines.append(f"{_key[key]} {_scalar(item)}\n")
        else:
            lines.append(_mapping({key: _exact(item)}, pad))
    return pad.join(lines)


def _sequence(sequence: list[Any], pad: str) -> str:
    """Return a non-empty list in the same form as `_mapping`; its dashes have the indentation ``pad``."""
    inner = pad + "  "
    lines: list[str] = []
    for item in sequence:
        kind = type(item)
        if kind is dict and item:
            lines.append(f"- {_mapping(item, inner)}")
        elif kind is str:
            text = _line[item]
            lines.append("-" + (_literal(item, pad) if text is None else text))
        elif kind is list and item:
            lines.append(f"- {_sequence(item, inner)}")
        elif kind in _SCALARS:
            lines.append(f"- {_scalar(item)}\n")
        else:
            lines.append(_sequence([_exact(item)], pad))
    return pad.join(lines)


class _Keys(dict[str, str]):
    """Written keys, with their colon; manifests repeat a few hundred. A lookup saves a call."""

    def __missing__(self, key: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"a mapping key is a string, not {type(key).__name__}")
        text = quoted(key)
        if len(text) > _LONGEST_KEY:
            raise ValueError(f"a mapping key of {len(text)} characters is too long: {text[:40]}...")
        if len(self) >= 4096:
            self.clear()
        self[key] = f"{text}:"
        return self[key]


class _Lines(dict[str, str | None]):
    """Written texts at the end of a line; most occur in many manifests.

    Texts of several lines are None: see `_literal`.
    """

    def __missing__(self, text: str) -> str | None:
        if "\n" in text:
            return None
        if len(self) >= 16384:
            self.clear()
        self[text] = f" {quoted(text)}\n"
        return self[text]


_key = _Keys()
_line = _Lines()


@lru_cache(maxsize=64)  # every group has the same scripts
def _literal(text: str, pad: str) -> str:
    """Return a text with line breaks as a block literal, indented two columns more than ``pad``."""
    if _NOT_LITERAL.search(text):
        return f" {quoted(text)}\n"
    style = "|" if text.endswith("\n") else "|-"
    lines = text.removesuffix("\n").split("\n")
    return "\n".join([f" {style}", *(f"{pad}  {line}" if line else "" for line in lines), ""])


def quoted(text: str) -> str:
    """Return a text in double quotes, unless every reader reads it as text without them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _scalar(value: Any) -> str:
    """Return anything but text: a number, a boolean, None, or an empty collection."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError(f"{value} does not fit into 64 bits")
    if isinstance(value, float):
        return _float(value)
    return str(value)


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in JSON and so none in a manifest")
    digits, exponent, power = repr(value).partition("e")
    # YAML 1.1 reads `1e+16` as a string: it requires the decimal point.
    return f"{digits if '.' in digits else digits + '.0'}{exponent}{power}"


_SCALARS = frozenset((dict, list, int, float, bool, type(None)))  # these collections are empty


def _exact(value: Any) -> Any:
    """Return a mapping as a dict, a sequence as a list, and an enumeration's member as its text or number."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")
