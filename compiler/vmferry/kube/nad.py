"""Whether the JSON in a NetworkAttachmentDefinition is valid for its CNI plugin.

In the CRD it is a string, so neither the API server nor a schema validates it; a mistake only shows when a pod is stuck
in ContainerCreating. Fields as in containernetworking/plugins (bridge), macvtap-cni, sriov-cni and ovn-kubernetes
(go-controller/pkg/cni/types).
"""

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from vmferry.model.base import InterfaceName
from vmferry.model.rule import declare

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""Multus' annotation of a pod: the networks that it is attached to."""

INVALID_NETWORK = declare(
    "VMF204",
    "error",
    "network definition is not valid",
    why="A NetworkAttachmentDefinition holds its configuration as text that the API server does not read. A wrong "
    "VLAN, a bridge name over 15 characters or an MTU that the bridge does not have is accepted, and shows up "
    "when the first VM does not start or loses its large packets.",
    source="containernetworking/plugins plugins/main/bridge/bridge.go; ovn-kubernetes "
    "docs/features/multiple-networks/multi-homing.md; kubev2v/forklift "
    "pkg/controller/plan/validation.go (NetMapDestinationNADNotValid)",
)

_Vlan = Annotated[int, Meta(ge=0, le=4094)]
_TrunkVlan = Annotated[int, Meta(ge=1, le=4094)]
_Mtu = Annotated[int, Meta(ge=0, le=65535)]
_NetworkName = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_CniVersion = Literal["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
_OnOff = Literal["on", "off"]


class _Config(Struct, frozen=True):
    """Fields of every configuration, of one plugin or of a chain."""

    cni_version: _CniVersion | None = field(default=None, name="cniVersion")
    name: _NetworkName | None = None
    plugins: tuple[dict[str, Any], ...] | None = None


class _Plugin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The fields that the CNI specification gives every plugin."""

    type: str
    cni_version: str | None = None
    name: str | None = None
    ipam: dict[str, Any] = {}
    dns: dict[str, Any] = {}
    args: dict[str, Any] = {}
    capabilities: dict[str, bool] = {}
    runtime_config: dict[str, Any] = {}

    def problems(self, nad: str | None) -> Iterator[str]:  # noqa: ARG002  subclasses use it
        """Yield problems that the types above cannot express."""
        yield from ()


class _Trunk(Struct, frozen=True, forbid_unknown_fields=True):
    id: _TrunkVlan | None = None
    first: _TrunkVlan | None = field(default=None, name="minID")
    last: _TrunkVlan | None = field(default=None, name="maxID")


class _Bridge(_Plugin, frozen=True, kw_only=True, rename="camel"):
    bridge: InterfaceName
    vlan: _Vlan = 0
    vlan_trunk: tuple[_Trunk, ...] = ()
    preserve_default_vlan: bool = True
    macspoofchk: bool = False
    disable_container_interface: bool = False
    port_isolation: bool = False
    mtu: _Mtu = 0
    is_gateway: bool = False
    is_default_gateway: bool = False
    force_address: bool = False
    ip_masq: bool = False
    ip_masq_backend: str | None = None
    hairpin_mode: bool = False
    promisc_mode: bool = False
    enabledad: bool = False

    def problems(self, nad: str | None) -> Iterator[str]:  # noqa: ARG002  as in the base
        for entry in self.vlan_trunk:
            if (entry.first is None) != (entry.last is None):
                yield "`vlanTrunk`: minID and maxID go together"
            elif entry.id is None and entry.first is None:
                yield "`vlanTrunk`: an entry needs id, or minID and maxID"
            elif entry.first is not None and entry.last is not None and entry.first > entry.last:
                yield f"`vlanTrunk`: {entry.first} to {entry.last} is not a range"
        if self.disable_container_interface and self.ipam.get("type"):
            yield "`ipam` cannot be used with disableContainerInterface"


class _Macvtap(_Plugin, frozen=True, kw_only=True, rename="camel"):
    device_id: str | None = field(default=None, name="deviceID")
    mtu: _Mtu = 0
    promisc_mode: bool = False


class _Sriov(_Plugin, frozen=True, kw_only=True, rename="camel"):
    device_id: str | None = field(default=None, name="deviceID")
    vlan: _Vlan = 0
    vlan_qos: Annotated[int, Meta(ge=0, le=7)] = field(default=0, name="vlanQoS")
    vlan_proto: str | None = None
    mac: str | None = None
    spoofchk: _OnOff | None = None
    trust: _OnOff | None = None
    link_state: Literal["auto", "enable", "disable"] | None = field(default=None, name="link_state")
    min_tx_rate: int | None = field(default=None, name="min_tx_rate")
    max_tx_rate: int | None = field(default=None, name="max_tx_rate")
    log_level: str | None = None
    log_file: str | None = None


class _Ovn(_Plugin, frozen=True, kw_only=True, rename="camel"):
    topology: Literal["layer2", "layer3", "localnet"]
    net_attach_def_name: str
    role: Literal["primary", "secondary"] | None = None
    mtu: _Mtu = 0
    vlan: _Vlan = field(default=0, name="vlanID")
    physical_network_name: str | None = None
    subnets: str | None = None
    exclude_subnets: str | None = None
    reserved_subnets: str | None = None
    infrastructure_subnets: str | None = None
    join_subnet: str | None = None
    transit_subnet: str | None = None
    default_gateways: str | None = field(default=None, name="defaultGatewayIPs")
    persistent_ips: bool = field(default=False, name="allowPersistentIPs")
    transport: str | None = None
    outbound_snat: str | None = field(default=None, name="outboundSNAT")
    evpn: dict[str, Any] | None = None
    device_id: str | None = field(default=None, name="deviceID")
    log_file: str | None = None
    log_level: str | None = None
    log_file_max_size: int | None = field(default=None, name="logfile-maxsize")
    log_file_max_backups: int | None = field(default=None, name="logfile-maxbackups")
    log_file_max_age: int | None = field(default=None, name="logfile-maxage")

    def problems(self, nad: str | None) -> Iterator[str]:
        if nad is not None and self.net_attach_def_name != nad:
            yield f"`netAttachDefName` is {self.net_attach_def_name!r}, but the object is {nad}"
        if self.ipam.get("type"):
            yield "`ipam` is refused by OVN-Kubernetes: it has `subnets`"
        if self.topology != "localnet" and (self.vlan or self.physical_network_name):
            yield f"`vlanID` and `physicalNetworkName` do not apply to topology {self.topology}"
        if self.topology == "localnet" and self.role == "primary":
            yield "`role`: a localnet network is never primary"
        if self.persistent_ips and (not self.subnets or self.topology == "layer3"):
            yield "`allowPersistentIPs` needs subnets, and topology layer2 or localnet"
        if self.topology == "layer3":  # these subnets end with the prefix length per node: 10.128.0.0/14/23
            return
        for key, value in (("subnets", self.subnets), ("excludeSubnets", self.exclude_subnets)):
            for subnet in value.split(",") if value else ():
                if not _is_subnet(subnet.strip()):
                    yield f"`{key}`: {subnet.strip()!r} is not a subnet"


_PLUGINS: dict[str, type[_Plugin]] = {
    "bridge": _Bridge,
    "cnv-bridge": _Bridge,
    "macvtap": _Macvtap,
    "sriov": _Sriov,
    "ovn-k8s-cni-overlay": _Ovn,
}


def check_config(text: str, nad: str | None = None) -> list[str]:
    """Return what is wrong with the ``config`` of a NetworkAttachmentDefinition; nothing if it is valid.

    ``nad`` is the object's own NAMESPACE/NAME, which OVN-Kubernetes requires inside. An unknown plugin is only checked
    against the general CNI specification.
    """
    try:
        config = msgspec.json.decode(text)
        frame = msgspec.convert(config, _Config)
    except msgspec.ValidationError as error:
        return [_reason(error)]
    except msgspec.DecodeError as error:
        return [f"config is not JSON: {error}"]
    problems = []
    if frame.name is None:
        problems.append("`name` is missing: it names the network")
    if frame.cni_version is None:
        problems.append("`cniVersion` is missing: without it, the plugin assumes 0.1.0")
    if frame.plugins is None:
        return problems + _check_plugin(config, nad)
    if not frame.plugins:
        problems.append("`plugins` is empty")
    for index, plugin in enumerate(frame.plugins):
        problems += [f"plugins[{index}]: {problem}" for problem in _check_plugin(plugin, nad)]
    return problems


def _check_plugin(plugin: dict[str, Any], nad: str | None) -> list[str]:
    kind = plugin.get("type")
    if not isinstance(kind, str) or not kind:
        return ["`type` is missing: it names the CNI plugin"]
    if kind not in _PLUGINS:
        return []
    try:
        return list(msgspec.convert(plugin, _PLUGINS[kind]).problems(nad))
    except msgspec.ValidationError as error:
        return [_reason(error)]


def _reason(error: msgspec.ValidationError) -> str:
    """Return msgspec's message with the place in JSON notation: ``$.vlan`` becomes ``vlan``."""
    return str(error).replace("`$.", "`")


def _is_subnet(text: str) -> bool:
    if "/" not in text:
        return False
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True
