"""Which VM is which, for everyone who meets one a second time."""

from hypothesis import given
from hypothesis import strategies as st

from vmferry.estate.identity import Directory, Likes, Mark, match

WEB = Mark("vc1/vm-1", "vc1", "web", "uuid-web")
DB = Mark("vc1/vm-2", "vc1", "db", "uuid-db")


def test_the_same_key_is_the_same_vm_though_its_name_changed() -> None:
    assert match([WEB], [Mark("vc1/vm-1", "vc1", "web-new", "uuid-web")]) == {"vc1/vm-1": "vc1/vm-1"}


def test_a_vm_that_was_registered_again_is_found_by_its_uuid() -> None:
    assert match([WEB, DB], [Mark("vc1/vm-9", "vc1", "other", "uuid-web")]) == {"vc1/vm-9": "vc1/vm-1"}


def test_a_vm_whose_id_becomes_known_is_found_by_its_name() -> None:
    assert match([Mark("vc1/web", "vc1", "web")], [WEB]) == {"vc1/vm-1": "vc1/web"}


def test_a_name_that_two_vms_have_says_nothing() -> None:
    twins = [Mark("vc1/vm-8", "vc1", "web"), Mark("vc1/vm-9", "vc1", "web")]
    assert match([Mark("vc1/web", "vc1", "web")], twins) == {}


def test_an_id_that_another_vm_has_now_is_not_the_same_vm() -> None:
    rebuilt = [Mark("vc1/vm-1", "vc1", "db", "uuid-db"), Mark("vc1/vm-2", "vc1", "web", "uuid-web")]
    assert match([WEB, DB], rebuilt) == {"vc1/vm-1": "vc1/vm-2", "vc1/vm-2": "vc1/vm-1"}


def test_another_vcenter_is_searched_by_uuid_alone_and_only_when_asked_to() -> None:
    moved = [Mark("vc2/vm-5", "vc2", "web", "uuid-web"), Mark("vc2/vm-6", "vc2", "db")]
    assert match([WEB, DB], moved) == {}
    assert match([WEB, DB], moved, elsewhere=True) == {"vc2/vm-5": "vc1/vm-1"}


def test_what_shares_a_name_a_uuid_or_a_key_is_alike() -> None:
    assert Likes([DB, WEB]).of(Mark("vc1/vm-7", "vc1", "web")) is WEB
    assert Likes([WEB, DB]).of(Mark("vc1/vm-7", "vc1", "x", "uuid-db")) is DB
    assert Likes([WEB, DB]).of(Mark("vc2/vm-7", "vc2", "web", "uuid-web")) is None


def test_people_name_a_vm_by_id_by_name_or_with_its_vcenter() -> None:
    other = Mark("vc2/vm-3", "vc2", "web")
    known = Directory([WEB, DB, other])
    assert [known.meant(text) for text in ("vm-1", "vc1/vm-1", "vc1/web", "db")] == [[WEB], [WEB], [WEB], [DB]]
    assert known.meant("web") == [WEB, other]
    assert known.meant("web", "vc2") == [other]
    assert known.meant("nobody") == []


def test_an_id_goes_before_a_name_that_looks_like_it() -> None:
    named = Mark("vc1/vm-9", "vc1", "vm-1")
    assert Directory([named, WEB]).meant("vm-1") == [WEB]


_texts = st.sampled_from("abc")
_marks = st.lists(
    st.builds(lambda key, name, uuid: Mark(f"vc/{key}", "vc", name, uuid), _texts, _texts, st.none() | _texts),
    unique_by=lambda mark: mark.key,
    max_size=3,
)


@given(_marks, _marks)
def test_nobody_is_two_vms_and_the_order_does_not_matter(known: list[Mark], found: list[Mark]) -> None:
    result = match(known, found)
    assert len(set(result.values())) == len(result)
    assert set(result) <= {mark.key for mark in found}
    assert set(result.values()) <= {mark.key for mark in known}
    assert match(known[::-1], found[::-1]) == result
    assert {mine: theirs for theirs, mine in match(found, known).items()} == result
