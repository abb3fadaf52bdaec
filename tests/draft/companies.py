"""Invented companies whose conventions nobody told vmferry: exports of RVTools, and what a careful admin would decide.

Words and codes here stand in no table of vmferry's on purpose, where they are a company's own; notes, folders and
attributes are in German, French and Spanish. Truth is written beside each VM: `a|b` accepts either, `` nobody can tell.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from tests.importers.exports import Tab, disk, info, nic

RHEL, WINDOWS = "Red Hat Enterprise Linux 9 (64-bit)", "Microsoft Windows Server 2022 (64-bit)"
OLD_WINDOWS, OLD_LINUX = "Microsoft Windows Server 2008 R2 (64-bit)", "CentOS 5 (64-bit)"
FAMILIES = {RHEL: "linux", OLD_LINUX: "linux", WINDOWS: "windows", OLD_WINDOWS: "windows"}
GIB = 1024


class Truth(NamedTuple):
    """What is right for a VM; empty where nobody could tell."""

    disposition: str = "migrate"
    environment: str = ""
    kind: str = ""
    os: str = ""
    path: str = "forklift"


class Server(NamedTuple):
    """A VM of a company: what the export says, and what is true."""

    name: str
    truth: Truth
    folder: str
    guest: str = RHEL
    disks: int = 1
    notes: str = ""
    attributes: Mapping[str, str] = {}
    mounts: tuple[str, ...] = ("/",)
    cluster: str = "CL1"
    off: bool = False
    template: bool = False


def tabs(company: str, servers: list[Server]) -> dict[str, Tab]:
    """Return the tabs of the company's export."""
    center = {"VI SDK Server": f"vc.{company}.example", "VI SDK UUID": f"5f1e8a34-0000-4000-8000-{len(company):012d}"}
    names = list(dict.fromkeys(name for server in servers for name in server.attributes))
    rows: dict[str, list[dict[str, Any]]] = {tab: [] for tab in ("vInfo", "vDisk", "vNetwork", "vPartition", "vTools")}
    for number, server in enumerate(servers, 1):
        common = {
            "Powerstate": "poweredOff" if server.off else "poweredOn",
            "Template": str(server.template),
            "Cluster": server.cluster,
            "OS according to the configuration file": server.guest,
            **center,
        }
        attributes = {name: server.attributes.get(name, "") for name in names}
        facts = {"Folder": f"/DC1/vm{server.folder}", "Annotation": server.notes, "Disks": server.disks, **attributes}
        rows["vInfo"].append(
            info(server.name, number) | {"Firmware": "bios", "EFI Secure boot": "False"} | facts | common
        )
        for index in range(server.disks):
            where = {"Disk": f"Hard disk {index + 1}", "Disk Key": 2000 + index, "Unit #": index}
            path = f"[ds1] {server.name}/{server.name}_{index}.vmdk"
            rows["vDisk"].append(disk(server.name, number) | where | {"Path": path} | common)
        mac = f"00:50:56:0a:{number >> 8:02x}:{number & 255:02x}"
        rows["vNetwork"].append(nic(server.name, number) | {"Mac Address": mac} | common)
        for mount in server.mounts:
            size = {"Disk": mount, "Capacity MiB": 20 * GIB, "Consumed MiB": 5 * GIB, "Free MiB": 15 * GIB}
            rows["vPartition"].append(info(server.name, number) | size | common)
        rows["vTools"].append(info(server.name, number) | {"Tools": "toolsOk"} | common)
    ports = [{"Port": "web-prod", "Switch": "dvs1", "VLAN": "120", "Object ID": "dvportgroup-42", **center}]
    stores = [{"Name": "ds1", "Type": "VMFS", "Capacity MiB": 9**9, "Free MiB": 9**8, "Object ID": "datastore-1"}]
    return {**rows, "dvPort": ports, "vDatastore": [{**row, **center} for row in stores]}


def kernmeier() -> list[Server]:
    """Return a German brewery: HAMPDBS01 is site, environment, code and number, without separators."""
    return [*_kernmeier_servers(), *_kernmeier_odd()]


_TRADES = (  # code, kind, Windows, disks, note of some of them, how many
    ("DBK", "database", True, 2, "SQL Server 2019, Datenbank {}", 5),
    ("ORK", "database", False, 3, "Oracle-Datenbank, {}", 3),
    ("WEX", "stateless", False, 1, "Reverse-Proxy {}", 5),
    ("ANX", "stateless", True, 1, "Anwendungsserver {}", 8),
    ("DCX", "infrastructure", True, 1, "Domänencontroller", 2),
    ("FIX", "stateful", True, 2, "Dateiserver {}", 3),
    ("DRX", "infrastructure", True, 1, "Druckserver", 2),
    ("UBX", "infrastructure", False, 1, "Überwachung (Checkmk)", 1),
)
_LETTERS = {"P": "prod", "Q": "dev-test", "T": "dev-test", "E": "dev-test"}
_WORDS = {"P": "Produktion", "Q": "Abnahme", "T": "Test", "E": "Entwicklung"}


def _kernmeier_servers() -> Iterator[Server]:
    turn = count()
    for site in ("HAM", "NUE", "DRE"):
        for letter, environment in _LETTERS.items():
            for code, kind, windows, disks, note, number in _TRADES:
                if letter != "P" and kind == "infrastructure":
                    continue
                for index in range(1, 1 + (number if letter == "P" else (number + 2) // 3)):
                    seen = next(turn)
                    noted = note.format("Lager") + "; Ansprechpartner: Team Süd" if seen % 3 == 0 else ""
                    said = {"Umgebung": _WORDS[letter]} if seen % 4 == 0 else {}
                    guest = WINDOWS if windows else RHEL
                    rebuilt = "Reverse-Proxy" in noted
                    truth = Truth(
                        "migrate", environment, kind, FAMILIES[guest], "forklift|rebuild" if rebuilt else "forklift"
                    )
                    yield Server(
                        f"{site}{letter}{code}{index:02d}",
                        truth,
                        f"/Standort {site}/Team {'Nord' if seen % 2 else 'Süd'}",
                        guest,
                        disks,
                        noted,
                        said | {"Kostenstelle": str(4000 + seen % 7)},
                        cluster=f"{site}-ESX",
                    )


def _kernmeier_odd() -> Iterator[Server]:
    left = "/Standort HAM/Stillgelegt"
    yield Server("HAMTWEX09_alt", Truth("retire", "dev-test", "stateless", "linux", ""), "/Standort HAM", off=True)
    yield Server("HAMPANX31", Truth("retire", "prod", "stateless", "windows", ""), left, WINDOWS, off=True)
    yield Server(
        "NUEPDBK17", Truth("retire", "prod", "database", "windows", ""), "/Standort NUE", WINDOWS, 2,
        "wird nicht mehr gebraucht, kann weg", off=True,
    )  # fmt: skip
    yield Server("DREPANX12", Truth("migrate", "prod", "stateless", "windows"), "/Standort DRE", WINDOWS, off=True)
    yield Server(
        "DREPANX38", Truth("migrate", "prod", "stateless", "windows", "virt-v2v"), "/Standort DRE", OLD_WINDOWS
    )
    yield Server(
        "HAMPVCX01", Truth("retain", "", "appliance", "linux", ""), "/Basis", notes="VMware vCenter Server Appliance"
    )
    yield Server(
        "HAMPBKX01", Truth("retain", "", "infrastructure", "windows", ""), "/Basis", WINDOWS, 2, "Sicherungsserver"
    )
    yield Server("vCLS-4c4c4544", Truth("exclude", "", "appliance", "linux", ""), "/vCLS")
    yield Server("Vorlage-RHEL9", Truth("template", "", "", "linux", ""), "/Vorlagen", template=True, off=True)


def vauclair() -> list[Server]:
    """Return a French dairy: the letter of the environment is a part of its own, folders say it for a third."""
    return [*_vauclair_servers(), *_vauclair_odd()]


_METIERS = (  # code, kind, Windows, disks, mounts, note, how many
    ("bdd", "database", False, 2, ("/", "/var/lib/pgsql"), "", 4),
    ("gesto", "database", True, 2, ("/",), "Base Oracle de la paie", 3),
    ("presse", "stateless", False, 1, ("/",), "nginx, config dans git", 4),
    ("metier", "stateless", True, 1, ("/",), "Serveur d'application {}", 7),
    ("fic", "stateful", True, 2, ("/",), "Serveur de fichiers, partages", 2),
    ("annu", "infrastructure", True, 1, ("/",), "Contrôleur de domaine", 2),
    ("superv", "infrastructure", False, 1, ("/",), "Centreon", 1),
)
_ETAPES = {"p": "prod", "r": "dev-test", "d": "dev-test", "f": "dev-test"}
_DOSSIERS = {"p": "Production", "r": "Recette", "d": "Développement", "f": "Formation"}


def _vauclair_servers() -> Iterator[Server]:
    turn = count()
    for town in ("lyo", "nan", "dij"):
        for letter, environment in _ETAPES.items():
            for code, kind, windows, disks, mounts, note, number in _METIERS:
                if letter != "p" and kind == "infrastructure":
                    continue
                for index in range(1, 1 + (number if letter == "p" else (number + 2) // 3)):
                    seen = next(turn)
                    noted = note.format("paie") if seen % 2 == 0 else "Voir CMDB avant redémarrage"
                    folder = f"/{_DOSSIERS[letter]}" if seen % 3 == 0 else f"/Sites/{town.title()}"
                    rebuilt = "nginx" in noted
                    guest = WINDOWS if windows else RHEL
                    truth = Truth(
                        "rebuild" if rebuilt else "migrate", environment, kind, FAMILIES[guest],
                        "rebuild" if rebuilt else "forklift",
                    )  # fmt: skip
                    yield Server(
                        f"{town}-{letter}-{code}-{index:03d}", truth, folder, guest, disks, noted,
                        {"Responsable": "DSI"}, mounts, cluster="PROD-A",
                    )  # fmt: skip


def _vauclair_odd() -> Iterator[Server]:
    yield Server(
        "lyo-p-metier-090 (à supprimer)",
        Truth("retire", "prod", "stateless", "windows", ""),
        "/Sites/Lyo",
        WINDOWS,
        off=True,
    )
    yield Server(
        "nan-r-metier-044", Truth("retire", "dev-test", "stateless", "windows", ""), "/Hors service", WINDOWS, off=True
    )
    yield Server(
        "dij-p-bdd-077",
        Truth("retire", "prod", "database", "linux", ""),
        "/Sites/Dij",
        RHEL,
        2,
        "Remplacée par le SaaS",
        off=True,
    )
    yield Server(
        "dij-p-metier-021", Truth("migrate", "prod", "stateless", "linux", "virt-v2v"), "/Sites/Dij", OLD_LINUX
    )
    yield Server(
        "lyo-p-sauve-001",
        Truth("retain", "", "infrastructure", "windows", ""),
        "/Sites/Lyo",
        WINDOWS,
        2,
        "Serveur de sauvegarde",
    )
    yield Server(
        "modele-win2022", Truth("template", "", "", "windows", ""), "/Modèles", WINDOWS, template=True, off=True
    )


def robledo() -> list[Server]:
    """Return a Spanish carrier: names say nothing (planets and rivers), folders and a column of its own say it."""
    return [*_robledo_servers(), *_robledo_odd()]


_RIOS = ("ebro", "tajo", "duero", "segura", "jucar", "genil", "turia", "sil", "esla", "cinca", "miera", "deva", "nalon")
_OFICIOS = (
    ("database", "Bases de datos", "Base de datos de tráfico", RHEL, 2),
    ("stateless", "Aplicaciones", "Servidor de aplicaciones", RHEL, 1),
    ("stateless", "Servidores web", "", RHEL, 1),
    ("stateful", "Oficina", "Servidor de ficheros", WINDOWS, 2),
    ("infrastructure", "Infraestructura", "Servidor de impresión", WINDOWS, 1),
)
_ENTORNOS = (("Producción", "prod"), ("Preproducción", "dev-test"), ("Desarrollo", "dev-test"))


def _robledo_servers() -> Iterator[Server]:
    turn = count()
    for number, river in enumerate(_RIOS):
        for kind, folder, note, guest, disks in _OFICIOS:
            seen = next(turn)
            name, environment = _ENTORNOS[(number + seen) % 3]
            by_column = seen % 2 == 0
            yield Server(
                f"{river}{seen % 9 + 1}",
                Truth("migrate", environment, kind, FAMILIES[guest]),
                f"/{folder}" if by_column else f"/{name}/{folder}",
                guest,
                disks,
                note,
                {"Nivel": name.upper()} if by_column else {},
            )


def _robledo_odd() -> Iterator[Server]:
    yield Server("pisuerga1", Truth("retire", "", "", "linux", ""), "/Papelera", off=True)
    yield Server(
        "odiel1", Truth("retire", "prod", "", "linux", ""), "/Producción", notes="ya no se usa desde 2023", off=True
    )
    yield Server("tinto1", Truth("migrate", "prod", "", "linux", "virt-v2v"), "/Producción", OLD_LINUX)


COMPANIES = {"kernmeier": kernmeier, "vauclair": vauclair, "robledo": robledo}
