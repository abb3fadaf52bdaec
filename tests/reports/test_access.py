"""Proposals of access: from permissions in vCenter to `access` in the spec, and nothing before it is filled in."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.test_check import SPEC
from tests.invocation import vmferry
from tests.reports.test_assessment import inventory
from tests.reports.test_assessment import vm as fact

from vmferry.check import check
from vmferry.estate.privileges import ROLES

TEXT = SPEC.replace(
    "namespaces: [{name: web, quota: none}]", "include: [inventory/*.yaml]\nnamespaces: SPACES"
).replace("namespace: web, ", "")
SPACES = "[{name: web, quota: none, source: {folder: /Web}}, {name: db, quota: none, source: {folder: /Data}}]"
MIGRATION = ["Resource.HotMigrate"]


def role(name: str, *privileges: str) -> dict[str, Any]:
    return {"name": name, "privileges": ["System.Read", "System.View", *privileges]}


ROLE_LIST = [
    role("Operator", *ROLES["operate"]),
    role("Viewer"),
    role("Owner", *ROLES["edit"], *MIGRATION, "Host.Config.Network"),
    role("Chief", *ROLES["admin"], *MIGRATION, "Datastore.Config"),
]


def on(path: str, who: str, what: str, **more: Any) -> dict[str, Any]:
    return {"principal": who, "group": True, "role": what, "kind": "vm-folder", "path": path} | more


def estate(place: Path, *permissions: dict[str, Any], roles: list[dict[str, Any]] | None = None) -> Path:
    """Write a spec with an inventory: two VMs in folder /Web, one in /Data."""
    folders = ("/Web/Shop", "/Web/Blog", "/Data")
    inventory(place / "inventory", *(fact(number, folder=folder) for number, folder in enumerate(folders)))
    part = {
        "apiVersion": "vmferry.dev/v1alpha1",
        "kind": "Inventory",
        "metadata": {"name": "vc1/permissions"},
        "source": {"name": "vc1", "kind": "vcenter"},
        "roles": ROLE_LIST if roles is None else roles,
        "permissions": list(permissions),
    }
    (place / "inventory" / "permissions.yaml").write_text(yaml.safe_dump(part))
    (place / "spec.yaml").write_text(TEXT.replace("SPACES", SPACES))
    return place


def reported(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = vmferry("report", "people", place, "--format", "json").data["access"]
    return found


def proposed(place: Path) -> list[tuple[str, str, str, bool, str]]:
    return [
        (each["principal"], each["namespace"], each["role"], each["migrate"], each["note"])
        for each in reported(place)["proposals"]
    ]


def test_a_role_on_a_folder_is_proposed_in_the_namespaces_of_its_vms(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web", "group-1", "Operator"), on("/", "group-2", "Viewer"))
    assert proposed(place) == [
        ("group-1", "web", "operate", False, ""),
        ("group-2", "db", "view", False, ""),
        ("group-2", "web", "view", False, ""),
    ]


def test_a_proposal_says_where_it_is_wider_than_today(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web/Shop", "group-1", "Operator"))
    assert proposed(place) == [("group-1", "web", "operate", False, "reaches 1 more VM than today")]
    [only] = reported(place)["proposals"]
    assert (only["reached"], only["vms"]) == (1, 2)
    assert "  # web: reaches 1 more VM than today\n" in snippet(place)


def test_the_weakest_of_several_roles_is_proposed(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web", "group-1", "Viewer"), on("/Web/Shop", "group-1", "Owner"))
    assert proposed(place) == [("group-1", "web", "view", False, "edit on some of them today")]


def test_vmotion_is_a_role_of_its_own(tmp_path: Path) -> None:
    assert proposed(estate(tmp_path, on("/Data", "group-1", "Owner"))) == [("group-1", "db", "edit", True, "")]
    [rest] = reported(tmp_path)["remainders"]
    assert (rest["area"], rest["privileges"]) == ("hosts and clusters", ["Host.Config.Network"])


def test_an_administrator_is_proposed_for_no_role_of_the_cluster(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/", "group-1", "Chief", kind="root"))
    assert {(space, what) for _, space, what, _, _ in proposed(place)} == {("web", "admin"), ("db", "admin")}
    assert {each["area"] for each in reported(place)["remainders"]} == {"storage", "permissions and roles"}
    assert "cluster-admin" not in vmferry("report", "people", place).out


def test_a_person_is_to_become_a_group_and_a_service_gets_nothing(tmp_path: Path) -> None:
    person = on("/Data", "user-1", "Viewer", group=False)
    service = on("/", "service-1", "Chief", kind="root", group=False, service=True)
    place = estate(tmp_path, person, service)
    assert proposed(place) == [("user-1", "db", "view", False, "a user: make a group for their work")]
    assert [each["kind"] for each in reported(place)["permissions"]] == ["user", "service"]


def snippet(place: Path) -> str:
    """Return what the report has to paste: an indented block of Markdown."""
    lines = vmferry("report", "people", place, "--format", "md").out.partition("Access to confirm in the spec")[2]
    return "".join(f"{line[4:]}\n" for line in lines.partition("\n## ")[0].splitlines() if line.startswith("    "))


def test_what_is_pasted_grants_nothing_until_its_groups_are_filled_in(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web", "group-1", "Owner"), on("/", "group-2", "Viewer"))
    text = snippet(place)
    assert "# group-1 of vc1: Owner on folder /Web" in text
    spec = (place / "spec.yaml").read_text()
    (place / "spec.yaml").write_text(spec + text)
    codes = [each["code"] for each in vmferry("check", place, "--format", "json").data["findings"]]
    assert codes.count("VMF142") == 3
    (place / "spec.yaml").write_text(spec + text.replace('group: ""', 'group: "oidc:team"'))
    granted = {plan.name: plan.access for plan in check(place).resolution.blueprint.namespaces}
    team = ("oidc:team",)
    assert granted == {"db": {"view": team}, "web": {"edit": team, "migrate": team, "view": team}}


@pytest.mark.parametrize(
    "name",
    ["a\n- group: system:masters", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\u202egnp", "```\n# x", "|"],
)
def test_hostile_names_stay_comments_and_cells(name: str, tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web", name, "Operator"))
    assert yaml.safe_load(snippet(place)) == {"access": [{"group": "", "role": "operate", "namespaces": ["web"]}]}
    page = vmferry("report", "people", place, "--format", "html").out
    assert "<script>alert" not in page
    assert "\u202e" not in vmferry("report", "people", place).out
    assert "\n=cmd" not in vmferry("report", "people", place, "--format", "csv").out


def test_the_order_of_permissions_changes_nothing(tmp_path: Path) -> None:
    given = [on("/Web", "group-1", "Operator"), on("/", "group-2", "Viewer"), on("/Data", "group-1", "Chief")]
    one, other = (tmp_path / name for name in ("one", "other"))
    for place, permissions, roles in ((one, given, ROLE_LIST), (other, given[::-1], ROLE_LIST[::-1])):
        place.mkdir()
        estate(place, *permissions, roles=roles)
    assert proposed(one) == proposed(other)
    assert snippet(one) == snippet(other)


def test_confirmed_access_is_shown_and_a_role_that_is_missing_gives_none(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web", "group-1", "Lost"))
    assert proposed(place) == []
    spec = (place / "spec.yaml").read_text()
    (place / "spec.yaml").write_text(spec + 'access: [{group: "oidc:a", role: view, namespaces: [web]}]\n')
    assert reported(place)["confirmed"] == [{"group": "oidc:a", "role": "view", "namespaces": ["web"]}]
    assert "Confirmed access" in vmferry("report", "people", place).out


def test_without_permissions_the_report_says_where_they_come_from(tmp_path: Path) -> None:
    place = inventory(tmp_path / "inventory", fact(1))
    assert reported(place)["imported"] is False
    assert "exports of RVTools have none" in vmferry("report", "people", place).out


def test_a_bare_inventory_has_proposals_whose_namespaces_are_open(tmp_path: Path) -> None:
    place = estate(tmp_path, on("/Web/Shop", "group-1", "Operator"))
    (place / "spec.yaml").unlink()
    [only] = reported(place / "inventory")["proposals"]
    assert only["role"] == "operate"
    assert only["namespace"]
