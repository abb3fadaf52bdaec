"""What may be wrong with a file that is read: the rules that every reader reports with."""

import re

from vmferry.model.rule import declare

UNPARSABLE_YAML = declare(
    "VMF001",
    "error",
    "YAML cannot be parsed",
    why="Nothing in a file can be relied on behind such a place; VMs that stand further down would be missing. "
    "Most often it is a colon or a bracket in text without quotes, a tab, or a merge conflict that was left "
    "in.",
)

DUPLICATE_KEY = declare(
    "VMF002",
    "error",
    "duplicate key",
    why="Many readers of YAML keep the last of the two without a word. Somebody sees `os: linux` under the name "
    "of a VM, and the migration goes by another line further down.",
    source="YAML 1.2.2, section 3.2.1.1: keys of a mapping are unique",
)

ALIAS_EXPANSION = declare(
    "VMF003",
    "error",
    "aliases expand to too much",
    why="A few lines of aliases that refer to aliases can stand for billions of values, or for themselves, and "
    "whoever reads the file runs out of memory. No spec needs that, and CI that checks other people's pull "
    "requests must survive it.",
)

YAML_TAG = declare(
    "VMF004",
    "error",
    "YAML tags are not accepted",
    why="A tag tells the reader to make something else of a value, up to objects of its own program, and each "
    "program knows other tags. The schema says already of what type each value is.",
)

KEY_NOT_STRING = declare(
    "VMF005",
    "error",
    "mapping key is not a string",
    why="A key that is a number or `true` is text for one tool and something else for the next, so that a custom "
    "attribute called 4711 may not be found again. JSON, in which Kubernetes keeps everything, has text only.",
    source="RFC 8259, section 4: names in an object are strings",
)

FILE_TOO_LARGE = declare(
    "VMF006",
    "error",
    "file is too large or too deep",
    why="The limits are far beyond what people write: a file that exceeds them was picked up by mistake, or made "
    "to exhaust whoever reads it. The inventory of a large estate has a file for each vSphere cluster, so it "
    "stays below them.",
)

NOT_UTF8 = declare(
    "VMF007",
    "error",
    "file is not UTF-8 text",
    why="Read in the wrong encoding, the names of VMs, folders and datastores are not those that vCenter knows, "
    "and nothing is found under them. Invisible control characters do the same harm, and nobody sees them in "
    "a review.",
    source="YAML 1.2.2, sections 5.1 and 5.2",
)

UNREADABLE_FILE = declare(
    "VMF009",
    "error",
    "file cannot be read",
    why="The spec counts on something that is missing, or that the account which runs vmferry may not read: a "
    "sealed Secret, the playbook of a hook, the commit to compare with. Without it the migration would lack "
    "what it was to bring.",
)

AMBIGUOUS_SCALAR = declare(
    "VMF010",
    "error",
    "scalar that YAML readers disagree on",
    why="`012` is twelve for one tool and ten for the next, and `0x1F` is a number or a word. What is compiled "
    "must not depend on whether vmferry, an editor or kustomize has read the file.",
    source="YAML 1.1 (yaml.org/type/int.html, float.html, merge.html) against YAML 1.2.2, section 10.3.2",
)

UNFIT = re.compile("[\x7f\ufffe\uffff]")
"""Characters of text that go-yaml, and so kustomize, cannot read."""

UNFIT_CHARACTER = declare(
    "VMF019",
    "error",
    "character that manifests cannot carry",
    why="kustomize refuses a whole file for one such character, and with it the group that the file belongs to. "
    "It usually comes in by copy and paste, and vCenter shows it as nothing or as a box.",
    source="go-yaml/yaml readerc.go: control characters are not allowed",
)
