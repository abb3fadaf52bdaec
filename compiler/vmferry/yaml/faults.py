"""Rules about the form of files, reported by all readers."""

import re

from vmferry.model.rule import declare

UNPARSABLE_YAML = declare(
    "VMF001",
    "error",
    "YAML cannot be parsed",
    why="Nothing after such a place can be trusted: VMs defined further down would be missing. The usual causes are a "
    "colon or a bracket in unquoted text, a tab, or an unresolved merge conflict.",
)

DUPLICATE_KEY = declare(
    "VMF002",
    "error",
    "duplicate key",
    why="Many YAML readers silently keep the last of the two. Someone reads `os: linux` under the name of a VM, and "
    "the migration follows another line further down.",
    source="YAML 1.2.2, section 3.2.1.1: keys of a mapping are unique",
)

ALIAS_EXPANSION = declare(
    "VMF003",
    "error",
    "aliases expand to too much",
    why="A few lines of aliases to aliases can stand for billions of values, or for themselves, and whatever reads "
    "the file runs out of memory. No spec needs that, and CI that checks other people's pull requests must "
    "survive it.",
)

YAML_TAG = declare(
    "VMF004",
    "error",
    "YAML tags are not accepted",
    why="A tag tells the reader to turn a value into something else, up to objects of its own program, and every "
    "program knows different tags. The schema already says what type each value has.",
)

KEY_NOT_STRING = declare(
    "VMF005",
    "error",
    "mapping key is not a string",
    why="A key that is a number or `true` is text to one tool and something else to the next, so a custom attribute "
    "called 4711 may not be found again. In JSON, which Kubernetes stores, keys are always text.",
    source="RFC 8259, section 4: names in an object are strings",
)

FILE_TOO_LARGE = declare(
    "VMF006",
    "error",
    "file is too large or too deep",
    why="The limits are far beyond what people write: a file that exceeds them was picked up by mistake, or made to "
    "exhaust its reader. The inventory of a large estate has one file per vSphere cluster, so it stays below "
    "them.",
)

NOT_UTF8 = declare(
    "VMF007",
    "error",
    "file is not UTF-8 text",
    why="Read in the wrong encoding, the names of VMs, folders and datastores are not the ones that vCenter knows, "
    "and nothing matches them. Invisible control characters do the same harm, and no reviewer sees them.",
    source="YAML 1.2.2, sections 5.1 and 5.2",
)

UNREADABLE_FILE = declare(
    "VMF009",
    "error",
    "file cannot be read",
    why="The spec depends on something that is missing or that the account running vmferry may not read: a sealed "
    "Secret, a hook's playbook, the commit to compare with. Without it the migration would be incomplete.",
)

AMBIGUOUS_SCALAR = declare(
    "VMF010",
    "error",
    "scalar that YAML readers disagree on",
    why="`012` is twelve to one tool and ten to the next, and `0x1F` is a number or a word. What is compiled must not "
    "depend on whether vmferry, an editor or kustomize read the file.",
    source="YAML 1.1 (yaml.org/type/int.html, float.html, merge.html) against YAML 1.2.2, section 10.3.2",
)

UNFIT = re.compile("[\x7f\ufffe\uffff]")
"""Characters that go-yaml, and so kustomize, cannot read."""

UNFIT_CHARACTER = declare(
    "VMF019",
    "error",
    "character that manifests cannot carry",
    why="kustomize rejects a whole file for one such character, and with it the group that the file belongs to. It "
    "usually comes from copy and paste, and vCenter shows it as nothing or as a box.",
    source="go-yaml/yaml readerc.go: control characters are not allowed",
)
