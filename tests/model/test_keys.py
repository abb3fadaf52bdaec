"""Keys and references: what is put together is taken apart again."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vmferry.model.assignments import Assignments
from vmferry.model.keys import (
    apart,
    disk_key,
    name_of,
    namespace_of,
    own_of,
    reference,
    source_of,
    vm_key,
)

NAMES = st.text("abc-.0123456789", min_size=1, max_size=63)  # of namespaces and vCenters
ANY = st.text(min_size=1, max_size=80)


@given(NAMES, NAMES)
def test_a_reference_is_taken_apart_into_what_it_was_made_of(namespace: str, name: str) -> None:
    ref = reference(namespace, name)
    assert apart(ref) == (namespace_of(ref), name_of(ref)) == (namespace, name)


@given(NAMES, ANY)
def test_the_name_of_a_vm_may_have_slashes_in_it(source: str, own: str) -> None:
    key = vm_key(source, own)
    assert (source_of(key), own_of(key)) == (source, own)


@given(NAMES, ANY, NAMES, ANY)
def test_no_two_disks_have_one_key(source: str, name: str, other: str, another: str) -> None:
    assert (disk_key(source, name) == disk_key(other, another)) == ((source, name) == (other, another))


def test_in_files_they_are_texts() -> None:
    data = {"metadata": {"name": "acme"}, "vms": {vm_key("vc1", "vm-7"): {"group": "first-01"}}}
    read = msgspec.convert(data, Assignments)
    assert msgspec.to_builtins(read)["vms"].keys() == {"vc1/vm-7"}
