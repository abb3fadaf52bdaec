"""What an export may hold and a file in git may not: values that look like secrets."""

import re

_NAME = re.compile(
    r"passw|passphrase|passwd|pwd|secret|token|credential|kennwort|mot.?de.?passe|contrase"
    r"|(?:api|private|access|auth|license|product)[\s_-]*key",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY|://[^\s/:@'\"]{0,256}:(?![0-9]+/)[^\s@'\"]{1,256}@"
    r"|(?:passw(?:or)?d|passwort|passphrase|kennwort|pwd|secret|token)[A-Za-z0-9_-]{0,40}[\"']?[ \t]{0,8}[:=]",
    re.IGNORECASE,
)


def secret_name(name: str) -> bool:
    """Return whether something of this name, such as a custom attribute, looks like a secret."""
    return _NAME.search(name) is not None


def secret_text(text: str) -> bool:
    """Return whether a text, such as a note in vCenter, seems to tell a secret."""
    return _TEXT.search(text) is not None
