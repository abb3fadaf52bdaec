"""Answers of NSX's Policy API as they were saved: lists with their pages, single objects, and whole trees.

Field names: the schemas of the NSX-T Data Center REST API (developer.broadcom.com/xapis/nsx-t-data-center-rest-api):
PolicyConfigResource (path, parent_path, display_name, marked_for_delete), ListResult (results, result_count, cursor),
ChildPolicyConfigResource (children, each with an object below the name of its type), ApiError (error_code).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vmferry import files
from vmferry.importers.errors import ImporterError
from vmferry.yaml import json_row

MOST = 512 << 20
"""Bytes of one file."""

KINDS = ("Segment", "Group", "SecurityPolicy", "GatewayPolicy", "Rule", "VirtualMachine")
"""Types of objects that are read; others are counted."""

_SHOWN = 3


class Object(NamedTuple):
    """One object of NSX, with where it stands. ``listed``: in a list, which leaves out the rules of policies."""

    kind: str
    path: str
    data: dict[str, Any]
    where: str
    listed: bool


class _Page(NamedTuple):
    paths: tuple[str, ...]
    total: int | None  # of all pages, if this one says it
    where: str


class Answers:
    """The objects of some answers; complete once `check` was called."""

    def __init__(self) -> None:
        self.objects: list[Object] = []
        self.ignored: Counter[str] = Counter()
        self._pages: defaultdict[str, list[_Page]] = defaultdict(list)

    def add(self, raw: bytes, name: str) -> None:
        """Add the answers in one file: one, several in a row, or a list of them. Raises ImporterError."""
        for number, document in enumerate(_documents(raw, name), 1):
            where = f"{name}, answer {number}" if number > 1 else name
            for answer in document if isinstance(document, list) else [document]:
                self._answer(answer, where)

    def check(self) -> None:
        """Raise ImporterError if a page of a list is missing.

        NSX states the number of results on the first page, and a cursor on each page but the last one.
        """
        for what, pages in sorted(self._pages.items()):
            counts = {page.total for page in pages if page.total is not None}
            found = {path for page in pages for path in page.paths}
            if not counts:
                raise ImporterError(f"{pages[0].where}: the first page of this list of {what} is missing{_ALL_PAGES}")
            if len(counts) > 1 or len(found) > max(counts):
                raise ImporterError(f"{pages[0].where}: the pages of {what} are of different times{_ALL_PAGES}")
            if len(found) < max(counts):
                missing = f"{len(found)} of {max(counts)} {what} are there: a page is missing"
                raise ImporterError(f"{pages[-1].where}: {missing}{_ALL_PAGES}")

    def _answer(self, answer: Any, where: str) -> None:
        if not isinstance(answer, dict):
            raise ImporterError(f"{where}: this is not an answer of NSX's Policy API{_HOW}")
        if "error_code" in answer or "error_message" in answer:
            code, message = answer.get("error_code"), str(answer.get("error_message") or "")[:200]
            raise ImporterError(f"{where}: NSX answered with error {code}: {message}")
        results = answer.get("results")
        if isinstance(results, list):
            self._page(results, answer, where)
        elif isinstance(answer.get("resource_type"), str):
            self._tree(answer, where)
        else:
            raise ImporterError(f"{where}: this is not an answer of NSX's Policy API{_HOW}")

    def _page(self, results: list[Any], answer: dict[str, Any], where: str) -> None:
        count = answer.get("result_count")
        if not all(isinstance(each, dict) for each in results) or not isinstance(count, int | None):
            raise ImporterError(f"{where}: this is not a list of the Policy API{_HOW}")
        if not results:
            if count or answer.get("cursor"):
                raise ImporterError(f"{where}: an empty page of a list that is not empty{_ALL_PAGES}")
            return
        found = [self._object(each, where, listed=True) for each in results]
        paths = tuple(f"{each.get('resource_type')} {_path(each)}" for each in results)
        what = {_list_of(each, data) for each, data in zip(found, results, strict=True)}
        self._pages[what.pop() if len(what) == 1 else "objects"].append(_Page(paths, count, where))

    def _tree(self, top: dict[str, Any], where: str) -> None:
        """Add an object with everything below it."""
        left = [top]
        while left:
            data = left.pop()
            self._object(data, where, listed=False)
            for child in reversed(_list(data.get("children"))):
                if isinstance(child, dict):
                    inner = child.get(str(child.get("resource_type", "")).removeprefix("Child"))
                    left.append(inner if isinstance(inner, dict) else child)

    def _object(self, data: dict[str, Any], where: str, *, listed: bool) -> Object | None:
        kind = str(data.get("resource_type") or "")
        if kind not in KINDS:
            if kind not in ("Infra", "Domain", "Tier1", "ChildResourceReference"):
                self.ignored["".join(char if char.isprintable() else "?" for char in kind[:60]) or "?"] += 1
            return None
        path = _path(data)
        if not path:
            raise ImporterError(f"{where}: a {kind} without a path{_HOW}")
        if data.get("marked_for_delete") is True:
            return None
        found = Object(kind, path, data, f"{where} ({kind} {path[:200]})", listed)
        self.objects.append(found)
        for rule in _list(data.get("rules")) if kind in ("SecurityPolicy", "GatewayPolicy") else ():
            if isinstance(rule, dict):
                own = {"resource_type": "Rule", "parent_path": path, "path": f"{path}/rules/{rule.get('id')}"}
                self._object(own | rule, where, listed=False)
        return found


_HOW = "; save it as NSX sent it, for example with curl -o"
_ALL_PAGES = "; save every page of it again: repeat the request with ?cursor= and the cursor of the page before"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _path(data: dict[str, Any]) -> str:
    """Return what identifies an object; VMs have no path in the policy."""
    for name in ("external_id", "path") if data.get("resource_type") == "VirtualMachine" else ("path",):
        if isinstance(data.get(name), str):
            return str(data[name])
    return ""


def _list_of(found: Object | None, data: dict[str, Any]) -> str:
    """Return what a list is of. Rules are listed by policy, groups and policies by domain, segments all together."""
    kind = str(data.get("resource_type") or "objects")[:60]
    if found is None or kind in ("Segment", "VirtualMachine"):
        return f"{kind}s"
    parent = data.get("parent_path")
    above = parent if isinstance(parent, str) else found.path.rpartition("/")[0].rpartition("/")[0]
    return f"{kind}s of {above[:200]}"


def _documents(raw: bytes, name: str) -> Iterator[Any]:
    """Yield the JSON values of a text, one after the other."""
    try:
        yield msgspec.json.decode(raw)
        return
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        for value, _ in json_row.documents(raw):
            yield value
    except json_row.NotJsonError as error:
        said = {
            "encoding": f"it is not UTF-8 text (byte {error.place})",
            "empty": "it is empty",
            "nesting": f"what starts at line {error.place} is nested too deeply",
            "syntax": f"what starts at line {error.place} is not JSON",
        }
        raise ImporterError(f"{name}: {said[error.fault]}{_HOW}") from None


def read(sources: Iterable[Path], stdin: bytes) -> Answers:
    """Return the answers in files, in the .json files of directories, and in standard input for `-`.

    Raises ImporterError and OSError.
    """
    answers = Answers()
    for source in sources:
        if str(source) == "-":
            answers.add(_limited(stdin, "standard input"), "standard input")
        elif source.is_dir():
            paths = sorted(path for path in source.iterdir() if path.suffix == ".json")
            if not paths:
                raise ImporterError(f"{source} contains no .json file")
            for path in paths:
                answers.add(_limited(files.read(path, MOST + 1), str(path)), str(path))
        else:
            answers.add(_limited(files.read_named(source, MOST + 1), str(source)), str(source))
    answers.check()
    return answers


def _limited(raw: bytes, name: str) -> bytes:
    if len(raw) > MOST:
        raise ImporterError(f"{name} is larger than {MOST >> 20} MiB")
    return raw
