"""Makes hostile files of good ones: other values, lines that are gone or there twice, bytes that are no text."""

import copy
import json
from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**31, 2**63 - 1, -(2**63), 1e308, -0.0, 1.5),
    *("", " ", "\n", "TODO", "${HOME}", "../..", "/etc/passwd", ".", "**", "*", "a" * 5000, "é" * 300, "\U0001f6a2"),
    *("<<", "*a", "!!python/object", "2027-13-01T00:00:00Z", "9999999999999Gi", "-1Gi", "0", "::", "00:00:00:00:00:00"),
    *(
        "255.255.255.255/33",
        "fe80::/129",
        "[ds1] ../x.vmdk",
        "x\u202ey",
        "\u0000"[:0],
        "vm-1\tx",
        "https://h:99999999/",
    ),
    *([], {}, [[]], [{}], {"": ""}, [None], {"a": {"b": {"c": []}}}, ["x"] * 50),
)
BYTES = (
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\t",
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"{",
    b"[" * 70,
    b"&a ",
    b"*a",
)
BYTES = (*BYTES, b"\\ud83d\\ude00", b"\\ud83d", b'"', b"'", b"|\n", b"<<: ", b"<<<<<<< ours\n", b"\xe2\x80\xa8", b"? ")


def paths(node: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value."""
    found = [above] if above else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += paths(value, (*above, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            found += paths(value, (*above, index))
    return found


@cache
def _parsed(good: bytes) -> Any:
    return yaml.safe_load(good)


@st.composite
def values(draw: st.DrawFn, good: bytes) -> bytes:
    """Yield a document in which one to three values are others, as YAML or as JSON."""
    data = copy.deepcopy(_parsed(good))
    for _ in range(draw(st.integers(1, 3))):
        places = paths(data)
        if not places:
            break
        *above, last = draw(st.sampled_from(places))
        node = data
        for step in above:
            node = node[step]
        match draw(st.integers(0, 3)):
            case 0:
                del node[last]
            case 1 if isinstance(node, dict):
                node[draw(st.sampled_from(("x", "source", "name", "", "a" * 300)))] = node.pop(last)
            case 2 if isinstance(node, list):
                node.append(copy.deepcopy(node[last]))
            case _:
                odd = copy.deepcopy(draw(st.sampled_from(ODD)))
                node[last] = draw(st.sampled_from((odd, [odd], {"name": odd})))
    if draw(st.booleans()):
        return json.dumps(data).encode()
    return bytes(yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode())


@st.composite
def texts(draw: st.DrawFn, good: bytes) -> bytes:
    """Yield a text of which pieces are gone, doubled, swapped, or are no text."""
    raw = good
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 60)))
        match draw(st.integers(0, 3)):
            case 0:
                raw = raw[:start] + raw[end:]
            case 1:
                raw = raw[:end] + raw[start:]
            case 2:
                raw = raw[:start] + draw(st.sampled_from(BYTES)) + raw[start:]
            case _:
                raw = raw[:start] + draw(st.binary(max_size=8)) + raw[end:]
    return raw
