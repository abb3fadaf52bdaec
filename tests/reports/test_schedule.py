"""Tests of `vmferry report schedule`: the estates of docs/schedule.md that were worked out by hand, and its formats."""

import os
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_hostile_names import NAMES
from tests.invocation import vmferry

ACME = Path(__file__).parents[2] / "examples/acme"
GIB = 1 << 30
NOW = ("--now", "2027-01-01T00:00:00Z")


def vm(number: int, used: int, size: str = "400Gi", **more: Any) -> dict[str, Any]:
    return {
        "name": f"vm-{number:02d}",
        "id": f"vm-{number}",
        "os": "linux",
        "firmware": "bios",
        "powerState": "poweredOn",
        "cpu": {"count": 2},
        "memory": "4Gi",
        "datacenter": "dc1",
        "cluster": "c1",
        "host": "esx1",
        "uuid": f"4230aaaa-0000-4000-8000-{number:012d}",
        "disks": [{"size": size, "datastore": "ds1", "file": f"[ds1] vm-{number}/vm.vmdk"}],
        "nics": [],
        "usedStorage": used,
    } | more


def spec(folder: Path, vms: list[dict[str, Any]], **more: Any) -> Path:
    """Write a spec, and return its path."""
    data = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "MigrationSpec",
        "metadata": {"name": "demo"},
        "sources": [
            {
                "name": "vc1",
                "vcenter": {
                    "url": "https://vc1.example.com/sdk",
                    "credentials": {"secretRef": {"name": "vc1"}},
                    "conversionCredentials": {"secretRef": {"name": "vc1-read"}},
                    "vddkImage": "registry.example.com/vddk:8.0.3",
                    "parallelConversions": more.pop("places", 10),
                    "insecureSkipVerify": True,
                },
            }
        ],
        "target": {
            "cluster": {"name": "prod", "cni": "cilium", "versions": {"forklift": "2.12"}},
            "gitops": {"engine": "flux", "repoURL": "https://git.example.com/gitops.git"},
        },
        "storage": {
            "classes": [{"name": "ceph", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
            "map": [{"source": {"datastore": "ds1"}, "tier": "gold"}],
        },
        "namespaces": [{"name": "web", "quota": "none"}],
        "phases": [{"name": "one", "windows": [window("2027-01-16")]}],
        "defaults": {"phase": "one", "namespace": "web", "path": "forklift", "method": "cold"},
        "vms": vms,
    } | more
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def window(day: str, lasts: str = "8h") -> dict[str, str]:
    return {"start": f"{day}T20:00:00Z", "duration": lasts}


def schedule(file: Path, *more: str) -> Any:
    result = vmferry("report", "schedule", file, "--format", "json", *(more or NOW))
    assert (result.code, result.err) == (0, "")
    return result.data


# --- by hand: docs/schedule.md ----------------------------------------------------------------


def test_ten_cold_vms_share_what_their_host_can_send(tmp_path: Path) -> None:
    found = schedule(spec(tmp_path, [vm(number, 35 * GIB) for number in range(10)]))
    for each in found["vms"]:
        assert each["likely"] == pytest.approx(2337.6, abs=0.1)
        assert each["best"] == pytest.approx(1827.6, abs=0.1)
        assert each["worst"] == pytest.approx(4675.3, abs=0.1)
    assert (found["groups"][0]["start"], found["end"]) == ("2027-01-16T20:00Z", "2027-01-16T20:39Z")


def test_five_jobs_take_turns_in_two_places(tmp_path: Path) -> None:
    vms = [vm(number, 100 * GIB, host=f"esx{number}") for number in range(5)]
    jobs = {"phase": "one", "namespace": "web", "path": "virt-v2v", "method": "job"}
    found = schedule(spec(tmp_path, vms, defaults=jobs, places=2))
    assert [each["likely"] for each in found["vms"]] == pytest.approx([4092] * 5)
    assert [each["worst"] for each in found["vms"]] == pytest.approx([8184] * 5)
    savings = {each["what"]: each["saves"] for each in found["savings"]}
    assert savings["one more conversion at once per vCenter"] == pytest.approx(1024)


def warm(folder: Path, **settings: Any) -> Path:
    written = {"average": 2075.2, "peak": 4150.4}
    baseline = {"days": 7, "samples": 336, "coverage": 1.0, "disks": [{"label": "scsi0:0", "write": written}]}
    more = {"baseline": baseline, "changeTracking": True, "method": "warm", "tools": "running"}
    vms = [vm(number, 76_500_000_000, host=f"esx{number}", **more) for number in range(2)]
    ports = [{"name": "http", "port": 80}]
    application = {"image": "registry.example.com/web:1", "ports": ports, "replicas": 1}
    rebuilt = {"disposition": "rebuild", "reason": "stateless", "phase": "two", "path": "rebuild"}
    vms.append(vm(7, GIB) | {"application": application} | rebuilt)
    vms[-1].pop("method", None)
    return spec(
        folder,
        vms,
        defaults={"phase": "one", "namespace": "web", "path": "forklift"},
        phases=[
            {"name": "one", "maxVms": 1, "windows": [window("2027-01-16"), window("2027-01-23")]},
            {
                "name": "two",
                "after": ["one"],
                "windows": [window("2027-01-16"), window("2027-01-23"), window("2027-01-30")],
            },
        ],
        settings={"schedule": {"groupsPerWindow": 1} | settings},
    )


def test_warm_vms_are_down_for_what_they_wrote_and_the_team_takes_one_group(tmp_path: Path) -> None:
    found = schedule(warm(tmp_path))
    outages = {each["vm"]: (each["best"], each["likely"], each["worst"]) for each in found["vms"]}
    for name in ("vm-00", "vm-01"):
        assert outages[name] == pytest.approx((665, 1330, 2860), abs=0.01)
    first, second, third = found["groups"]
    assert (first["copy_from"], first["copied"]) == ("2027-01-09T20:00Z", "2027-01-09T20:17Z")
    assert (first["start"], first["end"]) == ("2027-01-16T20:00Z", "2027-01-16T20:23Z")
    assert (second["start"], second["why"]) == ("2027-01-23T20:00Z", "the team had reached its limit")
    assert (third["start"], third["end"]) == ("2027-01-23T20:23Z", "2027-01-23T20:38Z")
    assert third["held_by"] == second["group"]
    assert found["path"] == [first["group"], second["group"], third["group"]]
    savings = {each["what"]: each["saves"] for each in found["savings"]}
    assert savings["twice the team"] == pytest.approx(7 * 86400)


def test_a_vm_with_a_time_of_its_own_goes_then_even_in_another_window(tmp_path: Path) -> None:
    cutovers = {"cutover": "2027-01-16T20:00:00Z", "vmCutover": {"vm-01": "2027-01-23T21:00:00Z"}}
    windows = [window("2027-01-16"), window("2027-01-23")]
    file = warm(tmp_path, groupsPerWindow=5)
    data = yaml.safe_load(file.read_text())
    data |= {"groups": {"one-01": cutovers}, "phases": [{"name": "one", "windows": windows}, data["phases"][1]]}
    file.write_text(yaml.safe_dump(data))
    found = schedule(file)
    vms = {each["vm"]: each for each in found["vms"]}
    assert (vms["vm-00"]["down"], vms["vm-01"]["down"]) == ("2027-01-16T20:00Z", "2027-01-23T21:00Z")
    assert [vms[name]["likely"] for name in ("vm-00", "vm-01")] == pytest.approx([1330, 1330], abs=0.01)
    group = found["groups"][0]
    assert (group["start"], group["end"], group["exceeds"]) == ("2027-01-16T20:00Z", "2027-01-23T21:23Z", 0)
    cutovers["vmCutover"]["vm-01"] = "2027-01-24T03:50:00Z"  # its window closes at four
    file.write_text(yaml.safe_dump(data))
    assert schedule(file)["misfits"][0]["why"] == "its stated cutover leaves it too little time, or is in no window"


def elsewhere(folder: Path, **more: Any) -> Any:
    """Return the schedule of a VM that the storage array copies, and of one that comes from an image."""
    image = {"path": "virt-v2v", "method": "image", "phase": "two"}
    offload = {"xcopy": {"secretRef": "array", "storageVendorProduct": "vantara"}}
    storage = {
        "classes": [{"name": "ceph", "provisioner": "rook-ceph.rbd.csi.ceph.com", "tier": "gold"}],
        "map": [{"source": {"datastore": "ds1"}, "tier": "gold", "offload": offload}],
    }
    phases = [{"name": name, "windows": [window("2027-01-16")]} for name in ("one", "two")]
    return spec(folder, [vm(1, 100 * GIB), vm(2, 100 * GIB, **image)], storage=storage, phases=phases, **more)


def test_copies_by_array_and_by_image_take_what_the_spec_states(tmp_path: Path) -> None:
    found = schedule(elsewhere(tmp_path, settings={"copy": {"offload": "500Mi", "image": "50Mi"}}))
    outages = {each["vm"]: (each["best"], each["likely"], each["worst"]) for each in found["vms"]}
    assert outages["vm-01"] == pytest.approx(
        (60 + 204.8 + 105 + 450, 120 + 204.8 + 210 + 900, 240 + 409.6 + 420 + 1800)
    )
    assert outages["vm-02"] == pytest.approx((60 + 2048 + 450, 120 + 2048 + 900, 240 + 4096 + 1800))
    rates = {each["setting"]: (each["value"], each["basis"]) for each in found["assumptions"]}
    assert rates["settings.copy.offload"] == ("500.0 MiB/s", "stated")
    assert rates["settings.copy.image"] == ("50.0 MiB/s", "stated")


def test_what_nobody_knows_is_unknown_and_never_nothing(tmp_path: Path) -> None:
    file = elsewhere(tmp_path)
    found = schedule(file)
    for each in found["vms"]:
        assert (each["unknown"], each["best"], each["likely"], each["worst"], each["up"]) == (True, *[None] * 4)
    assert [each["unknown"] for each in found["groups"]] == [1, 1]
    assert [each["lasts"] for each in found["groups"]] == [1020, 1020]  # the least: shutdown and start
    assert [each["basis"] for each in found["assumptions"] if each["what"].startswith("copies of")] == ["unknown"]
    assert "how long 2 VMs are down is unknown" in vmferry("report", "schedule", file, *NOW).out


def test_a_measured_copy_by_an_array_is_a_rate_for_the_next(tmp_path: Path) -> None:
    file = elsewhere(tmp_path)
    vmferry("compile", file, "--out", tmp_path)
    entry = {
        "group": "one-01",
        "vm": "vc1/vm-1",
        "what": "migration",
        "outcome": "succeeded",
        "attempt": 1,
        "started": "2027-01-02T00:00:00Z",
        "finished": "2027-01-02T00:06:40Z",
        "bytes": 400 * GIB,
    }
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "demo"}}
    (tmp_path / "evidence.yaml").write_text(yaml.safe_dump({**head, "entries": [entry]}))
    more = vm(3, 100 * GIB, host="esx3")
    data = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(data | {"vms": [*data["vms"], more]}))
    found = {each["vm"]: each for each in schedule(file)["vms"]}
    # 400 GiB in 400 s are 1 GiB/s, of whole disks and of the whole migration, with its conversion
    assert found["vm-03"]["likely"] == pytest.approx(120 + 400 + 900)
    assert found["vm-01"]["likely"] == pytest.approx(900)  # its copy is there
    assert found["vm-02"]["unknown"]


# --- what the spec states ---------------------------------------------------------------------


def test_stated_numbers_are_stated_and_others_assumed(tmp_path: Path) -> None:
    found = schedule(warm(tmp_path, shutdown="5m", dailyChange=2))
    basis = {each["setting"].rpartition(".")[2]: each["basis"] for each in found["assumptions"] if each["setting"]}
    assert (basis["shutdown"], basis["dailyChange"], basis["groupsPerWindow"]) == ("stated", "stated", "stated")
    assert (basis["start"], basis["perVm"]) == ("assumed", "assumed")
    assert found["vms"][0]["likely"] == pytest.approx(1330 + 180, abs=0.01)


def test_a_group_that_fits_no_window_says_how_long_it_takes(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, 2000 * GIB, "3Ti")], phases=[{"name": "one", "windows": [window("2027-01-16", "2h")]}])
    found = schedule(file)
    assert found["end"] is None
    (misfit,) = found["misfits"]
    assert (misfit["alone"], misfit["longest"]) == (pytest.approx(120 + 20480 + 900), 7200)
    assert misfit["why"] == "every window of its phase is too short for it"
    assert "1 group without a place" in vmferry("report", "schedule", file, *NOW).out


def test_a_group_that_only_fits_if_all_goes_well_is_marked(tmp_path: Path) -> None:
    phases = [{"name": "one", "windows": [window("2027-01-16", "1h")]}]
    found = schedule(spec(tmp_path, [vm(number, 35 * GIB) for number in range(10)], phases=phases))
    assert found["groups"][0]["exceeds"] == pytest.approx(4675.3 - 3600, abs=0.1)


def test_nothing_cuts_over_in_a_freeze_and_bandwidth_is_limited_in_business_hours(tmp_path: Path) -> None:
    freeze = {"start": "2027-01-16T00:00:00Z", "duration": "2d", "reason": "end of the year"}
    limit = {"rate": "10Mi", "days": ["fri"], "from": "08:00", "to": "18:00", "timezone": "Europe/Berlin"}
    vms = [vm(1, 36 * GIB)]
    settings = {"schedule": {"freezes": [freeze], "bandwidth": [limit]}}
    found = schedule(spec(tmp_path, vms, phases=[{"name": "one"}], settings=settings), "--now", "2027-01-15T06:58:00Z")
    # at 07:00 UTC its copy begins, at 10 MiB/s: 36 GiB take 3686.4 s, until 08:01:26
    assert found["vms"][0]["likely"] == pytest.approx(120 + 3686.4 + 900, abs=0.1)
    found = schedule(spec(tmp_path, vms, phases=[{"name": "one"}], settings=settings), "--now", "2027-01-15T23:50:00Z")
    assert found["groups"][0]["start"] == "2027-01-18T00:00Z"


def test_sources_are_kept_for_the_dual_run_and_a_business_cycle(tmp_path: Path) -> None:
    phases = [{"name": "one", "windows": [window("2027-01-16")], "dualRun": {"atLeast": "14d"}}]
    file = spec(tmp_path, [vm(1, 35 * GIB)], phases=phases)
    assert schedule(file)["kept_until"].startswith("2027-01-30T20:")
    file = spec(tmp_path, [vm(1, 35 * GIB)], phases=phases, settings={"schedule": {"businessCycle": "31d"}})
    assert schedule(file)["kept_until"].startswith("2027-02-16T20:")


def test_measured_rates_replace_assumed_ones_and_both_forecasts_are_shown(tmp_path: Path) -> None:
    vms = [vm(1, 50 * GIB, "100Gi", phase="zero"), vm(2, 100 * GIB, "100Gi", host="esx2")]
    phases = [{"name": "zero"}, {"name": "one", "windows": [window("2027-01-16")]}]
    file = spec(tmp_path, vms, phases=phases, groups={"zero-01": {"stage": "migrating"}})
    vmferry("compile", file, "--out", tmp_path)
    entry = {
        "group": "zero-01",
        "vm": "vc1/vm-1",
        "what": "migration",
        "outcome": "succeeded",
        "attempt": 1,
        "started": "2027-01-02T00:00:00Z",
        "finished": "2027-01-02T00:34:08Z",
        "bytes": 100 * GIB,
    }
    evidence = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "Evidence",
        "metadata": {"name": "demo"},
        "entries": [entry],
    }
    (tmp_path / "evidence.yaml").write_text(yaml.safe_dump(evidence))
    found = schedule(file, "--now", "2027-01-03T00:00:00Z")
    second = next(each for each in found["groups"] if each["group"] == "one-01")
    # 100 GiB in 2048 s are 50 MiB/s: half of the 100 that were assumed
    assert second["lasts"] == pytest.approx(120 + 2048 + 900)
    plan = {each["group"]: each for each in found["plan"]["groups"]}["one-01"]
    assert (plan["planned_start"], plan["planned_end"]) == ("2027-01-16T20:00Z", "2027-01-16T20:35Z")
    assert (second["end"], plan["end"], plan["late"]) == ("2027-01-16T20:52Z", "2027-01-16T20:52Z", 17 * 60)
    assert (found["plan"]["since"], found["plan"]["late"]) == ("2027-01-02T00:00Z", 17 * 60)
    text = vmferry("report", "schedule", file, "--now", "2027-01-03T00:00:00Z").out
    assert "by 2027-01-16T20:52Z, 17 min later than planned (2027-01-16T20:35Z)" in text
    first = next(each for each in found["assumptions"] if each["setting"] == "settings.copy.perVm")
    assert (first["basis"], first["value"]) == ("measured", "50.0 MiB/s")
    moved = next(each for each in found["vms"] if each["vm"] == "vm-01")
    assert moved["likely"] == 900  # what was copied is not copied again


def recorded(folder: Path, group: str, finished: str) -> None:
    """Record that the only VM of a group has moved."""
    entry = {
        "group": group,
        "vm": "vc1/vm-1",
        "what": "migration",
        "outcome": "succeeded",
        "attempt": 1,
        "finished": finished,
    }
    head = {"apiVersion": "vmferry.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "demo"}}
    (folder / "evidence.yaml").write_text(yaml.safe_dump({**head, "entries": [entry]}))


def test_what_has_moved_is_compared_with_its_plan(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, 100 * GIB, "100Gi")], groups={"one-01": {"stage": "prepared"}})
    vmferry("compile", file, "--out", tmp_path)
    recorded(tmp_path, "one-01", "2027-01-16T21:15:00Z")
    file.write_text(file.read_text().replace("stage: prepared", "stage: cutover"))
    found = schedule(file, "--now", "2027-01-18T00:00:00Z")
    (each,) = found["plan"]["groups"]
    assert (each["state"], each["planned_end"], each["end"]) == ("moved", "2027-01-16T20:35Z", "2027-01-16T21:15Z")
    assert (each["late"], found["plan"]["phases"][0]["late"]) == (40 * 60, 40 * 60)
    picture = vmferry("report", "schedule", file, "--now", "2027-01-18T00:00:00Z", "--format", "html").out
    words = "one-01 cutover as planned: 2027-01-16 20:00 to 2027-01-16 20:34 UTC"
    assert re.search(rf'<rect class="plan"[^>]*><title>{words}</title>', picture)
    assert re.search(r'<rect class="done"[^>]*><title>one-01 cut over: 2027-01-16 21:15', picture)
    assert '<li><span class="plan"></span>cutover as planned</li>' in picture


def git(folder: Path, *words: str, when: str = "2027-01-01T00:00:00Z") -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    env = os.environ | {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when}
    subprocess.run(("git", *who, *words), cwd=folder, check=True, capture_output=True, env=env)


def test_the_plan_may_be_what_an_earlier_commit_forecast(tmp_path: Path) -> None:
    file = spec(tmp_path, [vm(1, 100 * GIB, "100Gi")])
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-q", "-m", "x", when="2026-12-01T08:00:00Z")
    git(tmp_path, "tag", "agreed")
    spec(tmp_path, [vm(1, 100 * GIB, "100Gi")], phases=[{"name": "one", "windows": [window("2027-01-23")]}])
    assert schedule(file)["plan"]["late"] == 0
    for report in ("schedule", "progress"):
        result = vmferry("report", report, file, "--format", "json", "--against", "agreed", *NOW)
        plan = result.data["plan"]
        assert (plan["since"], plan["revision"]) == ("2026-12-01T08:00Z", "agreed")
        assert (plan["planned_end"], plan["end"]) == ("2027-01-16T20:35Z", "2027-01-23T20:35Z")
        assert plan["late"] == 7 * 86400
    result = vmferry("report", "schedule", file, "--against", "nothing", *NOW)
    assert result.code == 1
    assert "there is no commit 'nothing'" in result.out
    out = tmp_path / "site"
    assert vmferry("report", "site", file, "--out", out, "--against", "agreed", *NOW).code == 0
    assert "what agreed forecast when it was committed" in (out / "schedule.html").read_text()


def test_a_plan_needs_a_spec_in_a_repository(tmp_path: Path) -> None:
    spec(tmp_path, [vm(1, GIB)])
    stdin = (tmp_path / "spec.yaml").read_bytes()
    assert vmferry("report", "schedule", "-", "--against", "HEAD", stdin=stdin).code == 2


# --- formats ----------------------------------------------------------------------------------


def unfolded(text: str) -> list[str]:
    """Return the lines of a calendar file as RFC 5545 says: CRLF, folded by a space."""
    assert text.endswith("\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    return text[:-2].replace("\r\n ", "").split("\r\n")


def events(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for line in unfolded(text):
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and name not in ("BEGIN", "END"):
            found[-1][name] = value
    return found


def test_windows_are_events_of_a_calendar(tmp_path: Path) -> None:
    file = warm(tmp_path)
    text = vmferry("report", "schedule", file, "--format", "ics", *NOW).out
    found = events(text)
    assert len(found) == 5
    assert len({each["UID"] for each in found}) == 5
    first = found[0]
    assert (first["DTSTART"], first["DTEND"]) == ("20270116T200000Z", "20270117T040000Z")
    assert first["DTSTAMP"] == "20270101T000000Z"
    assert first["DESCRIPTION"] == "one-01: 1 VM\\, warm\\, likely 22 min\\nvm-00"
    for each in found:
        datetime.strptime(each["DTSTART"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    later = events(vmferry("report", "schedule", file, "--format", "ics", "--now", "2027-01-02T00:00:00Z").out)
    assert [each["UID"] for each in later] == [each["UID"] for each in found]


@pytest.mark.parametrize("style", ["text", "md", "csv", "html", "ics"])
def test_hostile_names_are_inert(style: str, tmp_path: Path) -> None:
    names = [*NAMES, "a\r\nEND:VCALENDAR", "ä" * 90, "x;y,z\\"]
    vms = [vm(number, 35 * GIB) | {"name": name[:400]} for number, name in enumerate(names)]
    file = spec(tmp_path, vms)
    result = vmferry("report", "schedule", file, "--format", style, *NOW)
    assert result.code == 0
    assert "<script>alert" not in result.out or style == "ics"
    assert all(each.isprintable() or each in "\r\n" for each in result.out) or style == "html"
    if style == "ics":
        (event,) = events(result.out)
        assert set(event) == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "DESCRIPTION", "TRANSP"}


@pytest.mark.parametrize("style", ["text", "md", "csv", "json", "html", "ics"])
def test_every_format_is_the_same_twice(style: str) -> None:
    now = ("--now", "2027-01-09T08:00:00Z")
    first, second = (vmferry("report", "schedule", ACME, "--format", style, *now) for _ in range(2))
    assert (first.code, first.out) == (0, second.out)


def test_every_vm_that_moves_is_in_the_schedule_or_its_group_is_listed() -> None:
    found = schedule(ACME, "--now", "2027-01-09T08:00:00Z")
    moving = vmferry("report", "assessment", ACME, "--format", "json").data["moving"]["vms"]
    status = {each["group"]: each["vms"] for each in vmferry("status", ACME, "--format", "json").data["groups"]}
    out = {*found["moved"], *found["waiting"]}
    assert sum(each["vms"] for each in found["groups"]) + sum(status[name] for name in out) == moving
    assert {each["group"] for each in found["groups"]} | out == set(status)


@pytest.mark.parametrize("now", ["0001-01-02T00:00:00Z", "2027-01-01T00:00:00Z", "9999-12-31T23:00:00Z"])
@pytest.mark.parametrize(
    ("windows", "settings"),
    [
        ([{"start": "9999-12-31T20:00:00Z", "duration": "9999d"}], {}),
        ([{"start": "2027-01-16T20:00:00Z", "duration": "0s"}], {"copy": {"perVm": "1", "perHost": "1", "total": "1"}}),
        ([], {"schedule": {"freezes": [{"start": "0002-01-01T00:00:00Z", "duration": "9999d"}], "vmsPerWindow": 1}}),
        ([], {"schedule": {"bandwidth": [{"rate": "1", "days": ["mon"], "from": "00:00", "to": "00:01"}]}}),
        ([], {"schedule": {"windows": {"duration": "9999d"}, "copyAhead": "9999d", "start": "9999d", "worst": 100}}),
    ],
)
def test_extreme_numbers_and_the_ends_of_time_are_survived(
    windows: list[dict[str, str]], settings: dict[str, Any], now: str, tmp_path: Path
) -> None:
    vms = [vm(1, 35 * GIB), vm(2, 0, "1Gi", host="esx2"), vm(3, 10**15)]
    file = spec(tmp_path, vms, phases=[{"name": "one", "windows": windows}], settings=settings)
    for style in ("html", "ics", "md"):
        assert vmferry("report", "schedule", file, "--format", style, "--now", now).code == 0
    assert vmferry("plan", "schedule", file, "--now", now).code == 0
