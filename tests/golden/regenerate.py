"""Write the golden output of every example anew, frozen VMs included: `make golden`. Review the diff.

Frozen VMs stay as assignments.yaml has them, so a change of the compiler would not show in their output.
Here they are decided anew: first with every group planned, then prepared, then with the stages of the example.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from vmferry.compile import assignments_path, check, compile_tree, write

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def regenerate(example: Path) -> None:
    """Compile one example over its golden output."""
    with tempfile.TemporaryDirectory() as scratch:
        planned = Path(scratch) / example.name
        shutil.copytree(example, planned, ignore=shutil.ignore_patterns("gitops", "assignments.yaml"))
        spec = yaml.safe_load((planned / "spec.yaml").read_text(encoding="utf-8"))
        moved = {name: state for name, state in spec.get("groups", {}).items() if state["stage"] != "planned"}
        for groups in ({}, {name: {"stage": "prepared"} for name in moved}):  # none may skip `prepared` (VMF850)
            spec["groups"] = groups
            (planned / "spec.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
            compile_into(planned)
        shutil.copy(planned / "assignments.yaml", example / "assignments.yaml")
    compile_into(example)


def compile_into(directory: Path) -> None:
    """Compile a spec into its own directory."""
    path = assignments_path(directory)
    write(compile_tree(check(directory, path), directory, path, force=True))


if __name__ == "__main__":
    for found in sorted(EXAMPLES.glob("*/spec.yaml")):
        if len(sys.argv) == 1 or found.parent.name in sys.argv[1:]:
            print(found.parent)
            regenerate(found.parent)
