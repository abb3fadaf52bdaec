"""What a spec was read from."""

from collections.abc import Mapping

from msgspec import Struct


class Trail(Struct, frozen=True, kw_only=True):
    """What a spec was read from: digests of files (None: missing) and of folders' contents, by path."""

    files: Mapping[str, bytes | None]
    folders: Mapping[str, bytes]
