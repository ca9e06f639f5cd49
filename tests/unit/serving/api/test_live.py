"""Scaling that a Service says in its template's place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.knative import fielderrors as fe
from serving.api import keys, live
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.validation.autoscaling import validate_annotations, validate_live

K, H = "autoscaling.knative.dev/", "autoscaling.hearth.dev/"


def test_what_a_service_says_takes_the_place_of_its_template() -> None:
    own = {f"{K}minScale": "1", f"{K}target": "50", "mine": "x"}
    found = live.overlaid(own, {f"{H}min-scale": "3", f"{H}max-scale": "9", f"{H}schedule": "x"})
    assert keys.MIN_SCALE.value(found) == "3"
    assert found == {**own, f"{K}min-scale": "3", f"{K}max-scale": "9"}


def test_without_any_nothing_changes() -> None:
    own = {f"{K}min-scale": "4", f"{K}max-scale": "2"}
    assert live.overlaid(own, {f"{H}schedule": "x"}) == own


@pytest.mark.parametrize(
    "key, text", [("min-scale", "-1"), ("target", "0"), ("window", "1s"), ("activation-scale", "1")]
)
def test_what_cannot_be_read_counts_as_absent(key: str, text: str) -> None:
    assert live.overlaid({f"{K}{key}": "7"}, {f"{H}{key}": text}) == {f"{K}{key}": "7"}


def test_no_floor_is_above_a_ceiling_that_the_other_one_gave() -> None:
    for own, shared in (
        ({f"{K}min-scale": "5"}, {f"{H}max-scale": "2"}),
        ({f"{K}max-scale": "2"}, {f"{H}min-scale": "5"}),
    ):
        found = live.overlaid(own, shared)
        assert (found[f"{K}min-scale"], found[f"{K}max-scale"]) == ("2", "2")


def refusal(service: dict[str, str], template: dict[str, str] | None = None) -> str:
    return fe.text(validate_live(service, template or {}, AutoscalerConfig()))


@pytest.mark.parametrize(
    "service, template, words",
    [
        ({"min-scale": "x"}, {}, f"invalid value: x: {H}min-scale"),
        ({"max-scale": "-1"}, {}, f"expected 0 <= -1 <= 2147483647: {H}max-scale"),
        ({"target": "0.001"}, {}, f"target 0.001 should be at least 0.01: {H}target"),
        ({"window": "5s"}, {}, f"expected 6s <= 5s <= 1h0m0s: {H}window"),
        (
            {"min-scale": "5"},
            {"max-scale": "2"},
            f"max-scale=2 is less than min-scale=5: {H}min-scale",
        ),
        ({"max-scale": "5"}, {"min-scale": "2"}, ""),
        ({"schedule": "x"}, {"min-scale": "-1"}, ""),
        ({"max-scale": "5"}, {"window": "no"}, ""),  # the template's own complaint
    ],
)
def test_bounds_and_messages_are_the_templates(
    service: dict[str, str], template: dict[str, str], words: str
) -> None:
    ours = {H + key: text for key, text in service.items()}
    assert refusal(ours, {K + key: text for key, text in template.items()}) == words


_TEXTS = st.sampled_from(["0", "1", "2", "3", "7", "-1", "x", "", "10s", "2h", "99999999999"])


@given(
    own=st.dictionaries(st.sampled_from([each.key for each in live.LIVE.values()]), _TEXTS),
    shared=st.dictionaries(st.sampled_from(list(live.LIVE)), _TEXTS),
)
def test_what_admission_lets_pass_makes_annotations_that_it_lets_pass(
    own: dict[str, str], shared: dict[str, str]
) -> None:
    config = AutoscalerConfig()
    found = live.overlaid(own, shared)
    assert live.overlaid(found, shared) == found
    assert live.overlaid(found, {}) == found
    if not validate_annotations(own, config) and not validate_live(shared, own, config):
        assert not validate_annotations(found, config)
