"""VLANs in ranges, and MAC addresses in one form."""

from hypothesis import given
from hypothesis import strategies as st

from vmferry.kube.mac import plain
from vmferry.kube.vlans import HIGHEST, numbers, span, spelled

VLANS = st.frozensets(st.integers(1, HIGHEST), max_size=40)


@given(VLANS)
def test_what_is_spelled_is_read_as_the_same_vlans(vlans: frozenset[int]) -> None:
    text = spelled(vlans)
    assert numbers(text.split(", ") if text else ()) == vlans


@given(st.integers(0, HIGHEST), st.integers(0, HIGHEST))
def test_a_range_has_its_ends(first: int, last: int) -> None:
    assert span(f"{first}-{last}") == (first, last)
    assert span(str(first)) == (first, first)


def test_vlan_0_is_no_vlan_and_what_is_beyond_the_last_is_left_out() -> None:
    assert numbers(["0-2", "4094-5000"]) == {1, 2, HIGHEST}


@given(st.lists(st.integers(0, 255), min_size=6, max_size=6))
def test_a_mac_has_one_form_however_it_is_written(octets: list[int]) -> None:
    wanted = ":".join(f"{octet:02x}" for octet in octets)
    assert plain("-".join(f"{octet:02X}" for octet in octets)) == plain(wanted) == wanted
