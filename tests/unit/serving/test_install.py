"""The shipped ConfigMaps: their examples show the defaults of the code, and nothing drifts."""

from typing import Any

import pytest
import yaml

from hearth.knative.admission.configmaps import EXAMPLE_CHECKSUM, example_checksum
from hearth.kube.meta import annotations, labels, name
from serving.api import keys
from serving.install import shipped_objects
from serving.webhook.admission import ADMISSION

NAMESPACES, MAPS = shipped_objects()


def test_every_setting_is_shipped() -> None:
    assert {name(obj) for obj in MAPS} == set(ADMISSION.config_maps)
    assert [name(obj) for obj in NAMESPACES] == ["knative-serving"]


@pytest.mark.parametrize("obj", MAPS, ids=name)
def test_examples_show_the_defaults(obj: Any) -> None:
    example = (obj.get("data") or {}).get("_example")
    if example is None:
        return
    assert annotations(obj)[EXAMPLE_CHECKSUM] == example_checksum(example)
    read = ADMISSION.config_maps[name(obj)]
    shown = read(yaml.safe_load(example))
    if name(obj) != "config-domain":
        assert shown == read({})


@pytest.mark.parametrize("obj", MAPS, ids=name)
def test_each_is_watched_by_the_webhook(obj: Any) -> None:
    assert labels(obj)[keys.APP_NAME] == keys.APP_NAME_SERVING
    assert labels(obj)[keys.APP_COMPONENT] in (
        "autoscaler",
        "controller",
        "logging",
        "networking",
        "observability",
    )


def test_a_domain_for_one_machine() -> None:
    _, maps = shipped_objects(domain="localhost")
    found = next(obj for obj in maps if name(obj) == "config-domain")
    assert found["data"]["localhost"] == ""
