"""Which roles the script for a vCenter creates; tests/e2e/test_vcenter_roles.py runs it."""

from msgspec import structs
from tests.backends.estate import blueprint, group, machine

from vmferry.backends.vcenter_roles import emit, works
from vmferry.model.blueprint import PlanOptions, PreflightPlan
from vmferry.model.manifest import File

PLAN = PreflightPlan(namespace="preflight", image="registry.example.com/check:1", max_clock_skew=30)


def test_a_role_has_what_the_methods_in_use_need_and_no_more() -> None:
    [source] = blueprint().sources
    warm, cold = group("a", "warm", machine("a")), group("b", "cold", machine("b"))
    assert works(source, (warm,)) == {"forklift": ("warm",)}
    assert works(source, (cold,)) == {"forklift": ("cold",)}
    assert works(source, (cold, group("c", "job", machine("c")))) == {"forklift": ("cold",), "convert": ("convert",)}
    assert works(source, (structs.replace(warm, forklift=PlanOptions(offload=True)),)) == {
        "forklift": ("offload", "warm")
    }
    assert works(source, (group("d", "rebuild", machine("d")), group("e", "image", machine("e")))) == {}


def test_there_is_one_script_for_each_vcenter_and_none_without_a_preflight() -> None:
    assert list(emit(blueprint())) == []
    [item] = emit(structs.replace(blueprint(), preflight=PLAN))
    assert isinstance(item, File)
    assert item.path == "infra/preflight/vcenter-roles-vc1.sh"
    assert "-forklift Datastore.Browse " in item.content.decode()
