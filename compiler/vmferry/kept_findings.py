"""Findings of a spec in the cache: thousands of them, which are written once, however many runs find the same."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from vmferry.cache import Cache
from vmferry.model.finding import Finding

_KIND = "findings 1"


def keep(findings: Sequence[Finding], cache: Cache) -> bytes:
    """Keep findings in their order; return their key."""
    raw = msgspec.msgpack.encode(findings)
    key = blake2b(raw, digest_size=20).digest()
    if not cache.get(_KIND, [key], msgspec.Raw):
        cache.put(_KIND, {key: msgspec.Raw(raw)})
    return key


def recall(key: bytes, cache: Cache) -> tuple[Finding, ...] | None:
    """Return the findings of a key; None if they are lost."""
    return cache.get(_KIND, [key], tuple[Finding, ...]).get(key)
