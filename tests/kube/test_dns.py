"""Tests of `vmferry.kube.dns`."""

from vmferry.kube.dns import fitted, suffixed


def test_short_names_stay_readable() -> None:
    assert suffixed("shop", "config") == "shop-config"
    assert fitted("shop") == "shop"


def test_long_names_are_cut_to_63_characters_and_stay_apart() -> None:
    one, other = "a" * 63, "a" * 62 + "b"
    assert len(suffixed(one, "headless")) == 63
    assert suffixed(one, "headless") != suffixed(other, "headless")
    assert len(fitted(one + "c")) == 63
    assert fitted(one + "c") != fitted(one + "d")


def test_a_cut_name_is_still_a_dns_label() -> None:
    assert "--" not in suffixed("a" * 45 + "-" * 2 + "b" * 20, "config")
