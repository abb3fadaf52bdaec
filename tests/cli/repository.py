"""The example in a git repository, as people edit it."""

import difflib
import shutil
import subprocess
from pathlib import Path

from tests.invocation import Result, vmferry

NOW = ("--now", "2026-12-01T00:00:00Z")
ACME = Path(__file__).parents[2] / "examples/acme"


class Repository:
    """A git repository with the example, committed."""

    def __init__(self, top: Path, *, committed: bool = True) -> None:
        self.spec = top / "migration"
        self.file = self.spec / "spec.yaml"
        shutil.copytree(ACME, self.spec, ignore=shutil.ignore_patterns("gitops"))
        if committed:
            self.start()
        self._before = self.file.read_text()

    def start(self) -> None:
        """Make the directory a git repository, and commit everything."""
        self._git("init", "-q")
        self.commit()

    def _git(self, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false")
        subprocess.run(("git", *who, *words), cwd=self.spec.parent, check=True, capture_output=True)

    def commit(self) -> None:
        """Commit everything."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "x")

    def edit(self, old: str, new: str, *, file: str = "spec.yaml") -> None:
        """Replace a text that occurs in a file of the spec."""
        path = self.spec / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self._before = self.file.read_text()

    def changes(self) -> list[str]:
        """Return the lines that were removed and added since the last edit."""
        lines = difflib.ndiff(self._before.splitlines(), self.file.read_text().splitlines())
        return [line for line in lines if line[0] in "+-"]


class Estate(Repository):
    """The example, compiled into its own repository; every move is compiled, checked, verified and committed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.top = self.spec.parent
        self.compile()
        self.commit()

    def compile(self) -> Result:
        result = vmferry("compile", self.spec, "--out", self.top)
        assert result.code == 0, result.text
        return result

    def advance(self, *options: str) -> Result:
        return vmferry("advance", self.spec, *options, *NOW)

    def moved(self, *options: str) -> None:
        """Advance, check against HEAD, compile, verify and commit."""
        result = self.advance(*options)
        assert result.code == 0, result.text
        self.compile()
        assert vmferry("check", self.spec, "--against", "HEAD", *NOW).code == 0
        verified = vmferry("verify", self.top / "gitops")
        assert verified.code == 0, verified.text
        self.commit()

    def files(self, pattern: str) -> set[str]:
        return {path.relative_to(self.top / "gitops").as_posix() for path in (self.top / "gitops").glob(pattern)}

    def built(self, root: str) -> str:
        found = subprocess.run(
            ["kubectl", "kustomize", str(self.top / "gitops" / root)], capture_output=True, text=True, check=True
        )
        return found.stdout
