"""A guest goes through the steps that the emitted Job or bastion.sh runs: their own Bash, real virt-v2v and guestfish.

Three things are put in front of the PATH: virsh says that the VM is off, curl talks to claims in a file, and virt-v2v
reads the VM from a domain's XML beside its disks, in place of vSphere; all its other options are the script's.
"""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import yaml
from tests.backends.test_virt_v2v import API
from tests.guests.cache import APPLIANCE, cached
from tests.guests.estate import Guest

_VIRT_V2V = """\
#!/bin/bash
options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --version) exec {real} --version ;;
    -i | -ic | -ip | -it | -io) shift 2 ;;
    --) break ;;
    *) options+=("$1"); shift ;;
  esac
done
exec {real} -i libvirtxml "${{options[@]}}" "$SOURCE"
"""

_CURL = """\
#!/bin/bash
exec {python} {api} "$@"
"""

_VIRSH = "#!/bin/bash\necho 'shut off'\n"


def converted(guest: Guest, disks: list[Path], output: Path) -> tuple[Path, str]:
    """Return the folder with the volumes of a guest, and what its conversion said. ``output`` is what vmferry wrote."""
    if guest.method == "job":
        job, script = _job(guest, output)
        environment = {each["name"]: each["value"].replace("$$", "$") for each in job["env"]}
    else:
        [path] = [each for each in output.rglob("bastion.sh") if guest.name in each.read_text()]
        script, environment = path.read_text(), {}
    version = subprocess.run(["virt-v2v", "--version"], capture_output=True, text=True, check=True).stdout
    parts = [disks[0].parent.name, script, json.dumps(environment), version, Path(__file__).read_text()]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = cached(f"converted-{guest.name}-{key}", lambda to: _convert(guest, disks, script, environment, to))
    return folder, (folder / "log").read_text(errors="replace")


def volumes(guest: Guest, folder: Path) -> list[Path]:
    """Return the volumes of a converted guest, in order, as CDI or the Job leave them."""
    if guest.method == "job":
        return [folder / "volumes" / f"dev/block{number}" for number, _ in enumerate(guest.disks)]
    return [folder / "www" / f"{guest.name}-{number}.qcow2" for number, _ in enumerate(guest.disks)]


def _job(guest: Guest, output: Path) -> tuple[dict[str, Any], str]:
    """Return the container of a guest's conversion Job, and the script in the ConfigMap that it mounts."""
    [job] = [each for each in objects(output, "Job") if each["metadata"]["name"].startswith(f"{guest.name}-convert-")]
    pod = job["spec"]["template"]["spec"]
    [mounted] = [each["configMap"]["name"] for each in pod["volumes"] if each["name"] == "script"]
    [scripts] = [each for each in objects(output, "ConfigMap") if each["metadata"]["name"] == mounted]
    [container] = pod["containers"]
    assert container["command"] == ["/bin/bash", "/etc/vmferry/script/convert.sh"]
    return container, scripts["data"]["convert.sh"]


def objects(output: Path, kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind in the bases that vmferry wrote."""
    found = []
    for path in sorted(output.glob("gitops/bases/**/*.yaml")):
        found += [each for each in yaml.safe_load_all(path.read_text()) if each and each.get("kind") == kind]
    return found


def _convert(guest: Guest, disks: list[Path], script: str, environment: dict[str, str], to: Path) -> None:
    _lay_out(guest, disks, to)
    (to / "script.sh").write_text(script)
    if guest.method == "job":
        environment = environment | _places(guest, environment, to)
        arguments = []
    else:
        environment = {"WORK_DIR": "images", "PUBLISH_DIR": "www"}
        environment |= {
            "VCENTER_USER_FILE": "credentials/accessKeyId",
            "VCENTER_PASSWORD_FILE": "credentials/secretKey",
        }
        arguments = [guest.name]
    log = (to / "log").open("w")
    done = subprocess.run(
        ["bash", "script.sh", *arguments],
        cwd=to,
        env={"PATH": f"{to}/tools:{os.environ['PATH']}", "HOME": "/root", "SOURCE": str(to / "source.xml")}
        | environment
        | APPLIANCE
        | {"TMPDIR": str(to / "scratch")},
        stdout=log,
        stderr=subprocess.STDOUT,
        check=False,
    )
    log.close()
    said = (to / "log").read_text(errors="replace")
    assert done.returncode == 0, f"the conversion of {guest.name} ended with {done.returncode}: {said[-4000:]}"
    for leftover in ("scratch", "images"):
        shutil.rmtree(to / leftover, ignore_errors=True)


def _places(guest: Guest, environment: dict[str, str], to: Path) -> dict[str, str]:
    """Return where a Job's directories and volumes are here; each volume is blank."""
    for pair, size in zip(environment["DISKS"].split(), guest.disks, strict=True):
        volume = to / "volumes" / pair.partition("=/")[2]
        volume.parent.mkdir(parents=True, exist_ok=True)
        with volume.open("wb") as file:
            file.truncate(size << 20)
    names = {"SERVICE_ACCOUNT_DIR": "account", "CREDENTIALS_DIR": "credentials", "LUKS_DIR": "luks"}
    names |= {"PRIVATE_DIR": "private", "SCRATCH_DIR": "scratch"}
    disks = environment["DISKS"].replace("=/", f"={to}/volumes/")
    return {name: str(to / folder) for name, folder in names.items()} | {"DISKS": disks}


def _lay_out(guest: Guest, disks: list[Path], to: Path) -> None:
    real = shutil.which("virt-v2v") or "virt-v2v"
    tools = {
        "virt-v2v": _VIRT_V2V.format(real=shlex.quote(real)),
        "curl": _CURL.format(python=shlex.quote(sys.executable), api=shlex.quote(str(to / "api.py"))),
        "virsh": _VIRSH,
    }
    files = {f"tools/{name}": text for name, text in tools.items()}
    files |= {"account/token": "token", "account/ca.crt": "ca", "api.py": API, "volumes.json": "{}"}
    files |= {"credentials/accessKeyId": "user", "credentials/secretKey": "password"}
    files |= {"source.xml": _domain(guest, disks)}
    for folder in ("private", "scratch", "luks", "www"):
        (to / folder).mkdir()
    for path, text in files.items():
        (to / path).parent.mkdir(exist_ok=True)
        (to / path).write_text(text)
    for name in tools:
        (to / "tools" / name).chmod(0o755)


def _domain(guest: Guest, disks: list[Path]) -> str:
    """Return the VM as libvirt shows one of vSphere."""
    firmware = " firmware='efi'" if guest.firmware == "efi" else ""
    drives = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file={quoteattr(str(disk))}/>"
        f"<target dev='sd{chr(97 + number)}' bus='scsi'/></disk>"
        for number, disk in enumerate(disks)
    )
    nics = "".join(
        f"<interface type='bridge'><mac address='{nic.mac}'/><source bridge='vlan'/><model type='vmxnet3'/></interface>"
        for nic in guest.nics
    )
    return (
        f"<domain type='vmware'><name>{escape(guest.name)}</name><memory unit='MiB'>1024</memory><vcpu>1</vcpu>"
        f"<os{firmware}><type arch='x86_64'>hvm</type></os><features><acpi/></features>"
        f"<devices>{drives}{nics}</devices></domain>\n"
    )
