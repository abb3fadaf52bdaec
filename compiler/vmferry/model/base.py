"""The base of every type that is read from or written to YAML, and the scalar types they share."""

from typing import Annotated

from msgspec import Meta, Struct

API_VERSION = "vmferry.dev/v1alpha1"
LABEL_DOMAIN = "vmferry.dev"


class Model(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A mapping in YAML: camelCase keys, unknown keys refused, defaults left out when written.

    Subclasses add ``kw_only=True``, which msgspec does not inherit.
    """


def text(pattern: str, description: str, *, max_length: int | None = None, example: str | None = None) -> Meta:
    r"""Return the constraints of a string that must match ``pattern`` as a whole.

    ``(?!\n)`` closes the pattern because Python's ``$`` also matches before a final newline.
    """
    return Meta(
        pattern=f"^(?:{pattern})$(?!\\n)",
        description=description,
        max_length=max_length,
        examples=[example] if example else None,
    )


# apimachinery pkg/api/validate/content: DNS-1123 labels and subdomains, qualified names
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

Name = Annotated[str, text(_LABEL, "A Kubernetes name (DNS-1123 label).", max_length=63)]
ShortName = Annotated[str, text(_LABEL, "A name that other names are made from: at most 30 characters.", max_length=30)]
Subdomain = Annotated[str, text(_SUBDOMAIN, "A Kubernetes name (DNS-1123 subdomain).", max_length=253)]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Reason = Annotated[str, Meta(min_length=3, max_length=2048, description="Why, for later readers.")]
# apimachinery pkg/util/validation, IsConfigMapKey
ConfigKey = Annotated[
    str,
    text(
        r"(?!\.$|\.\.)[-._a-zA-Z0-9]+",
        "A key of a ConfigMap or Secret: letters, digits, -, _ and ., and no .. in front.",
        max_length=253,
    ),
]
# Below 2^60 bytes, so that sums fit into the 63 bits that Kubernetes counts with.
Size = Annotated[
    str,
    text(
        "[1-9][0-9]{0,17}|[1-9][0-9]{0,14}Ki|[1-9][0-9]{0,11}Mi|[1-9][0-9]{0,8}Gi|[1-9][0-9]{0,5}Ti|[1-9][0-9]{0,2}Pi",
        "Bytes, with a binary suffix, below 1000Pi.",
        example="40Gi",
    ),
]
# At most 44 years: what reads it may count seconds in 32 bits (probes), or nanoseconds in 64 (Go).
Duration = Annotated[
    str,
    text(
        "(?=.)([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?",
        "A duration in d, h, m and s, in this order, below 10000d.",
        example="6h",
    ),
]
Timestamp = Annotated[
    str,
    text(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})",
        "A time with its zone (RFC 3339).",
        example="2027-01-11T20:00:00Z",
    ),
]
Day = Annotated[str, text("[0-9]{4}-[0-9]{2}-[0-9]{2}", "A day (UTC).", example="2027-03-31")]
RuleCode = Annotated[str, text("VMF[0-9]{3}", "Code of a rule; `vmferry rules` lists them.", example="VMF701")]
Mac = Annotated[str, text("[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", "A MAC address.", example="00:50:56:9a:10:01")]
Uuid = Annotated[str, text("[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}", "A UUID.")]
Version = Annotated[str, text(r"[0-9]+\.[0-9]+(\.[0-9]+)?", "A version, quoted.", example="1.6")]
BranchOrVersion = Annotated[
    str, text(r"[0-9]+\.[0-9]+(\.[0-9]+)?|main", "A version, quoted, or main: the branch.", example="2.12.5")
]
Vlan = Annotated[int, Meta(ge=1, le=4094, description="A VLAN id.")]
Trunk = tuple[Annotated[str, text("[0-9]{1,4}(-[0-9]{1,4})?", "A VLAN id or a range.", example="100-200")], ...]
Mtu = Annotated[int, Meta(ge=576, le=65535, description="MTU in bytes.")]
Port = Annotated[int, Meta(ge=1, le=65535, description="A TCP or UDP port.")]
Image = Annotated[
    str,
    text(
        r"[A-Za-z0-9][A-Za-z0-9._:/+-]*(@[A-Za-z0-9+._-]+:[0-9a-fA-F]{32,})?",
        "A container image, with a tag or digest.",
        max_length=512,
    ),
]
LabelKey = Annotated[
    str,
    text(
        rf"((?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_QUALIFIED}",
        "A label key: at most 63 characters, optionally after a DNS name and a slash.",
        max_length=317,
    ),
]
ResourceName = Annotated[
    str,
    text(
        rf"{_SUBDOMAIN}/{_QUALIFIED}",
        "A DNS name, a slash, and a name of at most 63 characters.",
        max_length=253,
        example="nvidia.com/TU104GL",
    ),
]
LabelValue = Annotated[str, text("([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", "A label value.", max_length=63)]
Labels = dict[LabelKey, LabelValue]
InterfaceName = Annotated[
    str, text("[A-Za-z0-9][-A-Za-z0-9_.]{0,14}", "A Linux network interface, at most 15 characters.")
]
Cidr = Annotated[str, text(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", "An address with its prefix.", example="10.0.2.14/24")]
Address = Annotated[str, text(r"[0-9A-Fa-f.:]+", "An IP address.")]
GuestAddress = Annotated[str, text(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?", "An IP address, with its prefix if known.")]
