"""Which free text of an export may go into a file in git: known words of notes, and listed attributes.

People write passwords into both, in any language and form. Nobody can list what secrets look like, but harmless texts
can be listed. So by default only known attribute names and words of vmferry's own tables are imported.
"""

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from vmferry.estate.words.environments import is_environment
from vmferry.estate.words.phrases import NOTED
from vmferry.estate.words.vocabulary import ATTRIBUTE_WORDS

_NAME = re.compile(
    r"passw|passphrase|passwd|pwd|secret|token|credential|kennwort|mot.?de.?passe|contrase|senha|login|zugang"
    r"|(?:api|private|access|auth|license|product|recovery)[\s_-]*key|(?:^|[^a-z])(?:pw|pass|pin|psk|key|community)\b",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY|://[^\s/:@'\"]{0,256}:(?![0-9]+/)[^\s@'\"]{1,256}@"
    r"|(?:passw(?:or)?d|passwort|passphrase|kennwort|pwd|secret|token|contrase[nñ]a|senha|mot de passe|wachtwoord"
    r"|hasło|parola|credentials?|zugang(?:sdaten)?|login)[A-Za-z0-9_-]{0,40}[\"']?[ \t]{0,8}"
    r"(?:[:=]|[ \t](?:is|ist|lautet|est|es|é|è)[ \t])"
    r"|\b(?:pw|pass|pin|psk|root|admin|administrator)[\"']?[ \t]{0,8}[:=/]",
    re.IGNORECASE,
)
_WITHHELD = re.compile(
    r"authorization\b|\bbearer\s|\bbasic\s+[A-Za-z0-9+/=]{8}|\beyJ[A-Za-z0-9_-]{8}|\bAKIA[0-9A-Z]{12}"
    r"|[?&][A-Za-z0-9_.-]*(?:sig|signature|key|token|auth)=|\b[A-Za-z0-9+_=]{40,}",
    re.IGNORECASE,
)
"""What else looks like a credential where programs write: headers, tokens, signed addresses, long random words."""
_LONGEST = 200
"""Maximum length of an attribute's value; a longer one is free text."""
_LONGEST_ASKED = 16_384
"""Maximum length of a requested value; a longer one would exceed the line length of vmferry's YAML files."""

_SHOWN = 20  # attributes that are named
_CLAUSE = re.compile(r"[;\n\r|]|[.!?](?:\s|$)")


class Keep(NamedTuple):
    """What to import besides harmless texts: the notes, and attributes by globs of their names."""

    notes: bool = False
    attributes: tuple[str, ...] = ()


NOTHING_MORE = Keep()


def secret_name(name: str) -> bool:
    """Return whether something of this name, such as a custom attribute, looks like a secret."""
    return _NAME.search(name) is not None


def secret_text(text: str) -> bool:
    """Return whether a text, such as a note in vCenter, seems to contain a secret."""
    return _TEXT.search(text) is not None


def said(text: str, most: int = 300) -> str:
    """Return what a program said, on one line, cut to ``most`` characters, without what looks like a credential.

    From the first such place on, nothing is kept: nobody knows where a password ends.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 16 * most]).split())
    found = [match.start() for pattern in (_TEXT, _WITHHELD) if (match := pattern.search(line))]
    if found:
        line = f"{line[: min(found)].rstrip()} [withheld]".lstrip()
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def harmless(attributes: Mapping[str, str], keep: Keep) -> dict[str, str]:
    """Return the custom attributes that may go into git, sorted: listed or requested ones, without secrets."""
    return {
        name: text
        for name, text in sorted(attributes.items())
        if len(text) <= _LONGEST_ASKED
        and not secret_text(text)
        and (_asked(name, keep.attributes) or _listed(name, text))
    }


def _listed(name: str, text: str) -> bool:
    if secret_name(name) or len(text) > _LONGEST:
        return False
    return _known_name(name) or is_environment(text)


@lru_cache(maxsize=4096)
def _known_name(name: str) -> bool:
    """Return whether all words of an attribute's name are on the list: `Owner` is, `Owner PW` is not."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z])", " ", name))
    return bool(words) and all(word.casefold() in ATTRIBUTE_WORDS for word in words)


def _asked(name: str, globs: Collection[str]) -> bool:
    return any(fnmatch.fnmatchcase(name.casefold(), glob.casefold()) for glob in globs)


def noted(text: str) -> tuple[str, ...]:
    """Return the known words of a note, sorted: what runs there, or that it is a leftover.

    A clause that seems to contain a secret is ignored, so that a password never passes for a product.
    """
    clauses = (clause for clause in _CLAUSE.split(text) if not (secret_text(clause) or secret_name(clause)))
    return tuple(sorted({found[0].casefold() for clause in clauses for found in NOTED.finditer(clause)}))


def stays(notes: int, withheld: Iterable[Collection[str]], keep: Keep) -> list[str]:
    """Return notices about texts that stay in vCenter: how many VMs' notes, and which attributes.

    ``withheld``: the names of these attributes per VM.
    """
    notices = []
    if notes and not keep.notes:
        notices.append(
            f"the notes of {'1 VM' if notes == 1 else f'{notes} VMs'} stay in vCenter, except known words such as "
            "nginx; --notes imports them"
        )
    if names := sorted({name for each in withheld for name in each}):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        listed = ", ".join(repr(name[:60]) for name in names[:_SHOWN]) + more
        notices.append(f"custom attributes that stay in vCenter: {listed}; --attribute NAME imports one")
    return notices
