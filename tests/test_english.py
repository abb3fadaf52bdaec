"""Texts for people are plain English: none of the phrases is left that a native engineer would not write.

Each pattern stands for a kind of phrase, with what to write instead. Messages are read in a maintenance window: short,
active, the usual words of the field.
"""

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_TEXTS = (".json", ".md", ".toml", ".yaml", ".yml")
_READ = ("compiler/", "docs/", "examples/", "overlays/", "schemas/")
_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "Makefile", "action.yml", "pyproject.toml")
# Compiled output: its scripts and names change only with what they do.
_LEFT_OUT = ("/gitops/", "/hooks/", "/assignments.yaml", "backends/scripts/", "docs/mutations.md")

_THING = (
    r"(?:VM|file|line|disk|second|sample|group|phase|node|volume|row|tier|target|verb|format|reason|cluster|release|finding|"
    r"rule|pod|part|CPU|replica|core|module|tab|kind|NIC|root|layer|namespace|section|vCenter|team|record|conversion)"
)
_COUNTED = (
    r"(?:one|once|rows?|lines?|files?|[Oo]bjects|seconds?|bytes|VMs|vCPUs|IOPS|[KMG]iB|MB|threads|[Mm]emory|[Dd]evices|modules?|"
    r"commands?|cases?|suites?)"
)
PATTERNS = {
    "again": r"\banew\b",
    "fix, repair": r"\bmend(?:s|ed|ing)?\b",
    "split the sentence": r"(?<!one )(?<!some )(?<!none )(?<!all )(?<!fields )\bof which\b",
    "this many": r"\bso many\b",
    "silently": r"\bwithout a word\b",
    "set x: y": r"\b[Ss]ay (?:`|[a-z][A-Za-z]+:)",
    "is not a": r"(?<!there )(?<!There )(?<!where )\bis no (?!longer|more than|such|need|match|answer|reason|way)",
    "is no longer": r"\bno more(?=[.,;:]|$)",
    "knows, gets, is reported": r"\btold\b",
    "like X": r"\bas (?:[A-Z]\w+|git|kustomize|libvirt|virt-v2v|the (?:other|newest)) (?:does|do)\b",
    "similar, the same way": r"\balike\b",
    "per": rf"\b{_COUNTED} an? {_THING}\b(?! (?:is|has|of|that|to|in|for|from|\w+s)\b)(?=[.,;:)\"]|$| )(?<!names a VM)",
    "look up": r"\blook(?:s|ed)? for by\b",
    "is stated, is reported": r"\b(?:is|are|was|were) said\b",
    "uses": r"\bgo(?:es)? by (?:Forklift|virt-v2v|the|its|their|\w+ keys?)\b",
    "mistaken for": r"\b(?:taken|takes|took) for (?:an?|one|the|what|none)\b",
    "someone, others": r"\b[Ss]omebody\b",
    "otherwise": r"[a-z`], else\b",
    "decided about, knows about": r"\b(?:decided|known?|said) of\b(?! course)",
    "because there is no": r"\bfor want of\b",
    "should": r"\bshall\b",
    "whether": r"\bbe it\b",
    "differently": r"\b(?:called|named|does|do|decides?|derives?|derived|moves?) otherwise\b",
}
"""What to write instead, and the phrase."""


def _unreleased(text: str) -> str:
    start = text.index("## Unreleased")
    end = text.find("\n## ", start)
    return text[start:] if end < 0 else text[start:end]


_HOLE = re.compile(r"\{[^{}]*\}")  # of a text that is formatted


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield what a Python module says to people, by line: its texts and comments, each block of comments as one."""
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield first, " ".join(block)
                block, first = [], token.start[0]
            block.append(token.string.lstrip("# "))
            last = token.start[0]
        elif token.type == tokenize.STRING or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield token.start[0], _HOLE.sub("…", " ".join(token.string.split()))
    yield first, " ".join(block)


def _files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        ROOT / name
        for name in listed.split("\0")
        if (name.startswith(_READ) or name in _TOP or name.startswith(".github/sample"))
        and (name.endswith((*_TEXTS, ".py")) or name == "Makefile")
        and not any(part in f"/{name}" for part in _LEFT_OUT)
        and (ROOT / name).is_file()
    ]


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    found = []
    for path in _files():
        text = path.read_text(encoding="utf-8", errors="replace")
        name = str(path.relative_to(ROOT))
        if path.name == "CHANGELOG.md":
            text = _unreleased(text)
        if path.suffix == ".py":
            found += [(f"{name}:{line}", words) for line, words in _words(text)]
        else:
            found.append((name, " ".join(text.split())))
    return found


@pytest.mark.parametrize("instead", PATTERNS)
def test_no_text_has_a_phrase_that_a_native_engineer_would_not_write(
    instead: str, texts: list[tuple[str, str]]
) -> None:
    phrase = re.compile(PATTERNS[instead])
    assert [
        (place, text[max(m.start() - 40, 0) : m.end() + 40]) for place, text in texts for m in phrase.finditer(text)
    ] == []


def test_the_phrases_are_found_where_they_are() -> None:
    bad = "rows a VM; it is no VM; told anew without a word to so many alike: say `x: y` as Flux does"
    found = {instead for instead, phrase in PATTERNS.items() if re.search(phrase, bad)}
    assert {"per", "is not a", "again", "silently", "this many", "similar, the same way", "set x: y", "like X"} <= found
