"""Records at each stage on a real BIND: what the compiler writes is run, and dig says what clients see."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.invocation import vmferry
from tests.servers.programs import program

EXAMPLE = Path(__file__).parents[2] / "examples" / "dns"
_ZONE = """\
$TTL 3600
@ IN SOA ns1 hostmaster 1 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
web-01 IN A 10.1.20.11
www IN A 10.1.20.11
web-01 IN TXT "somebody else's"
alias IN CNAME web-01
"""
_REVERSE = """\
$TTL 3600
@ IN SOA ns1.example.com. hostmaster.example.com. 1 3600 600 86400 60
@ IN NS ns1.example.com.
11.20.1 IN PTR web-01.example.com.
12.20.1 IN PTR sql01.ad.example.com.
"""
_CONF = """\
key "vmferry" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
  directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify no;
}};
controls {{ }};
zone "example.com" {{
  type primary; file "{folder}/example.com.zone";
  update-policy {{ grant vmferry zonesub A AAAA CNAME; }};
}};
zone "10.in-addr.arpa" {{
  type primary; file "{folder}/10.in-addr.arpa.zone";
  update-policy {{ grant vmferry zonesub PTR CNAME; }};
}};
"""


class Bind(NamedTuple):
    """A named with a zone that only a key may change."""

    folder: Path
    port: int

    def dig(self, name: str, kind: str = "A") -> list[tuple[int, str]]:
        """Return TTL and data of the records of a name."""
        command = [program("dig"), "+noall", "+answer", "+tcp", "@127.0.0.1", "-p", str(self.port), f"{name}.", kind]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        rows = [line.split() for line in found.stdout.splitlines()]
        return [(int(ttl), data) for _, ttl, _, found_kind, *_, data in rows if found_kind == kind]

    def update(self, *lines: str, zone: str = "example.com.") -> None:
        """Change a zone as somebody else would."""
        text = "\n".join((f"server 127.0.0.1 {self.port}", f"zone {zone}", *lines, "send", ""))
        subprocess.run([program("nsupdate"), "-k", str(self.key)], input=text, text=True, check=True, timeout=30)

    @property
    def key(self) -> Path:
        """Return the key file, as tsig-keygen wrote it."""
        return self.folder / "vmferry.key"


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    folder = tmp_path / "named"
    folder.mkdir()
    key = subprocess.run([program("tsig-keygen"), "vmferry"], capture_output=True, text=True, check=True).stdout
    (folder / "vmferry.key").write_text(key)
    secret = re.search(r'secret "([^"]+)"', key)
    assert secret is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "example.com.zone").write_text(_ZONE)
    (folder / "10.in-addr.arpa.zone").write_text(_REVERSE)
    (folder / "named.conf").write_text(_CONF.format(secret=secret[1], folder=folder, port=port))
    server = Bind(folder, port)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [program("named"), "-g", "-4", "-n", "1", "-c", str(folder / "named.conf")], stdout=log, stderr=log
        )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


class Migration:
    """The example, whose group goes from stage to stage as pull requests would take it."""

    def __init__(self, folder: Path, bind: Bind, **tsig: Any) -> None:
        self.folder, self._bind = folder, bind
        folder.mkdir()
        self.spec: dict[str, Any] = yaml.safe_load((EXAMPLE / "spec.yaml").read_text())
        for zone in self.spec["dns"]["zones"]:
            if zone["provider"]["type"] == "rfc2136":
                zone["provider"] |= {"server": "127.0.0.1", "port": bind.port, "tsig": tsig or {"file": str(bind.key)}}
        self.to("planned")

    def to(self, stage: str, **more: Any) -> None:
        """Compile the group at a stage."""
        self.spec["groups"] = {"servers-01": {"stage": stage, **more}} if stage != "planned" else {}
        (self.folder / "spec.yaml").write_text(yaml.safe_dump(self.spec))
        result = vmferry("compile", self.folder, "--out", self.folder)
        assert result.code == 0, result.text

    def script(self, act: str) -> Path:
        """Return the path of the script for what a stage does."""
        return self.folder / "gitops/bases/servers/servers-01" / f"dns-{act}.sh"

    def run(self, act: str, *names: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script that the compiler wrote, as the owner of the zone does."""
        command = ["bash", str(self.script(act)), *names]
        path = f"{os.environ['PATH']}:{Path(program('nsupdate')).parent}"
        known = {"HOME": str(self.folder), "PATH": path} | env
        return subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def migration(tmp_path: Path, bind: Bind) -> Migration:
    return Migration(tmp_path / "spec", bind)


def test_a_record_is_lowered_switched_raised_and_taken_back(bind: Bind, migration: Migration) -> None:
    assert bind.dig("web-01.example.com") == [(3600, "10.1.20.11")]
    seen = []
    for stage, act in (("prepared", "lower"), ("migrating", "lower"), ("cutover", "switch"), ("adopted", "switch")):
        migration.to(stage)
        done = migration.run(act)
        names = ("11.20.1.10.in-addr.arpa", "11.20.2.10.in-addr.arpa", "12.20.1.10.in-addr.arpa")
        names += ("12.20.2.10.in-addr.arpa", "web-01.example.com", "www.example.com")
        assert (done.returncode, done.stderr) == (0, "".join(f"{name}: done\n" for name in names))
        assert bind.dig("www.example.com") == bind.dig("web-01.example.com")
        seen += bind.dig("web-01.example.com")
    assert seen == [(60, "10.1.20.11"), (60, "10.1.20.11"), (60, "10.2.20.11"), (60, "10.2.20.11")]
    migration.to("validated")
    assert migration.run("raise").returncode == 0
    assert bind.dig("web-01.example.com") == [(3600, "10.2.20.11")]
    migration.to("rolled-back", dataLoss="accepted", reason="slow")
    assert not migration.script("raise").exists()
    assert migration.run("back").returncode == 0
    assert bind.dig("web-01.example.com") == [(3600, "10.1.20.11")]
    assert bind.dig("web-01.example.com", "TXT"), "what is beside the addresses stays"


def test_an_address_leads_back_to_its_vm_as_soon_as_it_has_it(bind: Bind, migration: Migration) -> None:
    old, new = "11.20.1.10.in-addr.arpa", "11.20.2.10.in-addr.arpa"
    name = "web-01.example.com."
    migration.to("prepared")
    assert migration.run("lower").returncode == 0
    assert (bind.dig(old, "PTR"), bind.dig(new, "PTR")) == ([(60, name)], [])
    for stage in ("migrating", "cutover"):
        migration.to(stage)
    for _ in range(2):  # a step that ran before is success
        assert migration.run("switch").returncode == 0
        assert (bind.dig(old, "PTR"), bind.dig(new, "PTR")) == ([], [(60, name)])
    migration.to("adopted")
    migration.to("validated")
    assert migration.run("raise").returncode == 0
    assert (bind.dig(old, "PTR"), bind.dig(new, "PTR")) == ([], [(3600, name)])
    migration.to("rolled-back", dataLoss="accepted", reason="slow")
    assert migration.run("back").returncode == 0
    assert (bind.dig(old, "PTR"), bind.dig(new, "PTR")) == ([(3600, name)], [])


@pytest.mark.parametrize("held", ["PTR other.example.com.", "CNAME 11.0-63.20.2.10.in-addr.arpa."])
def test_an_address_that_leads_to_somebody_else_is_left_alone(bind: Bind, migration: Migration, held: str) -> None:
    new = "11.20.2.10.in-addr.arpa"
    bind.update(f"update add {new}. 300 IN {held}", zone="10.in-addr.arpa.")
    migration.to("prepared")
    done = migration.run("lower")
    assert done.returncode == 1
    assert f"{new}: left alone, it holds something else" in done.stderr


def test_the_script_only_ever_is_of_the_stage_of_the_group(migration: Migration) -> None:
    folder = migration.script("lower").parent
    assert [each.name for each in folder.glob("dns-*")] == []
    migration.to("prepared")
    assert sorted(each.name for each in folder.glob("dns-*")) == ["dns-lower.ps1", "dns-lower.sh", "dns-lower.zone"]


def test_a_record_that_somebody_changed_is_left_alone(bind: Bind, migration: Migration) -> None:
    migration.to("prepared")
    bind.update("update delete www.example.com. A", "update add www.example.com. 300 IN A 192.0.2.7")
    done = migration.run("lower")
    assert done.returncode == 1
    assert "www.example.com: left alone, it holds something else" in done.stderr
    assert bind.dig("www.example.com") == [(300, "192.0.2.7")]
    assert bind.dig("web-01.example.com") == [(60, "10.1.20.11")]


@pytest.mark.parametrize(
    "more", ["update add www.example.com. 300 IN A 192.0.2.7", "update add www.example.com. 300 IN AAAA 2001:db8::7"]
)
def test_a_record_with_one_more_address_is_left_alone(bind: Bind, migration: Migration, more: str) -> None:
    migration.to("prepared")
    bind.update(more)
    assert migration.run("lower", "www.example.com").returncode == 1
    assert (3600, "10.1.20.11") in [(3600, data) for _, data in bind.dig("www.example.com")]


def test_some_records_can_be_named(bind: Bind, migration: Migration) -> None:
    migration.to("prepared")
    assert migration.run("lower", "www.example.com.").stderr == "www.example.com: done\n"
    assert bind.dig("web-01.example.com") == [(3600, "10.1.20.11")]


def test_addresses_become_an_alias_and_an_alias_addresses_again(bind: Bind, tmp_path: Path) -> None:
    migration = Migration(tmp_path / "alias", bind)
    migration.spec["vms"][0]["dns"][0] |= {"after": ["lb.k8s.example.com"]}
    migration.spec["vms"][0]["readdress"]["Servers-120"]["addresses"].append("2001:db8::11/64")
    for stage in ("planned", "prepared", "migrating", "cutover"):
        migration.to(stage)
    assert migration.run("switch").returncode == 0
    assert bind.dig("www.example.com", "CNAME") == [(60, "lb.k8s.example.com.")]
    assert (bind.dig("web-01.example.com"), bind.dig("web-01.example.com", "AAAA")) == (
        [(60, "10.2.20.11")],
        [(60, "2001:db8::11")],
    )
    migration.to("rolled-back", dataLoss="accepted", reason="slow")
    assert migration.run("back").returncode == 0
    assert bind.dig("www.example.com") == [(3600, "10.1.20.11")]
    assert bind.dig("www.example.com", "CNAME") == bind.dig("web-01.example.com", "AAAA") == []


def test_a_wrong_key_changes_nothing_and_is_said(bind: Bind, migration: Migration, tmp_path: Path) -> None:
    migration.to("prepared")
    other = subprocess.run([program("tsig-keygen"), "vmferry"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "other.key").write_text(other)
    done = migration.run("lower", VMFERRY_TSIG_FILE=str(tmp_path / "other.key"))
    assert done.returncode == 1
    assert "web-01.example.com: not changed: nsupdate failed" in done.stderr
    assert bind.dig("web-01.example.com") == [(3600, "10.1.20.11")]
    assert migration.run("lower", VMFERRY_TSIG_FILE="/nowhere").returncode == 2


def test_a_key_in_a_secret_is_read_by_kubectl_and_not_left_behind(bind: Bind, tmp_path: Path) -> None:
    migration = Migration(tmp_path / "secret", bind, secretRef={"name": "dns-key", "namespace": "dns"})
    migration.to("prepared")
    programs = tmp_path / "bin"
    programs.mkdir()
    said = 'get secret dns-key --namespace dns --output go-template={{index .data "tsig.key" | base64decode}}'
    (programs / "kubectl").write_text(f"#!/bin/bash\n[[ $* == {said!r} ]] && cat {bind.key}\n")
    (programs / "kubectl").chmod(0o755)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    path = f"{programs}:{os.environ['PATH']}:{Path(program('nsupdate')).parent}"
    done = migration.run("lower", PATH=path, TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == []
    assert bind.dig("web-01.example.com") == [(60, "10.1.20.11")]
    assert bind.key.read_text().split('"')[3] not in migration.script("lower").read_text()


def test_lines_for_a_zone_file_are_a_zone_that_bind_takes(migration: Migration, tmp_path: Path) -> None:
    for stage in ("prepared", "migrating", "cutover"):
        migration.to(stage)
    lines = migration.script("switch").with_suffix(".zone").read_text()
    head = "@ 3600 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 3600 IN NS ns1\nns1 3600 IN A 127.0.0.1\n"
    (tmp_path / "zone").write_text(f"$ORIGIN legacy.example.\n{head}{lines}")
    command = [program("named-checkzone"), "-D", "legacy.example", str(tmp_path / "zone")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert re.search(r"^web\.legacy\.example\.\s+300 IN A\s+10\.2\.20\.11$", found.stdout, re.MULTILINE)
