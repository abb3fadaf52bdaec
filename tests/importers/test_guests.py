"""The family of a guest system, by vSphere's guest ids: what names say is tried with the exports."""

import pytest

from vmferry.importers.guests import family

FAMILIES = {
    "windows": "win31 win95 winMe winNT win2000Serv winXPPro64 winNetEnterprise winVista64 winLonghorn "
    "windows7Server64 windows9Server64 windows11_64 windows2019srv_64 windows2022srvNext_64 windowsHyperV",
    "other": "freebsd freebsd64 freebsd13_64 solaris11_64 darwin21_64 netware6 openServer6 unixWare7 os2 eComStation2 "
    "dos vmkernel vmkernel8 crxPod1 crxSys1",
    "linux": "rhel9_64 redhat centos7_64 rockylinux_64 almalinux_64 oracleLinux9_64 fedora64 asianux9_64 sles15_64 "
    "suse64 opensuse64 oes nld9 sjds debian12_64 ubuntu64 mandriva64 turboLinux64 pardus64 coreos64 vmwarePhoton64 "
    "amazonlinux2_64 other6xLinux64 otherLinux genericLinux",
}


@pytest.mark.parametrize(("known", "guest_id"), [(f, name) for f, names in FAMILIES.items() for name in names.split()])
def test_every_guest_id_that_tells_its_family_is_known(known: str, guest_id: str) -> None:
    assert family(f"{guest_id}Guest") == known


@pytest.mark.parametrize("guest_id", ["otherGuest", "otherGuest64", None])
def test_an_id_that_says_nothing_is_of_no_family(guest_id: str | None) -> None:
    assert family(guest_id) is None
