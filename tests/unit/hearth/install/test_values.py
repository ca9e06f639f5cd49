"""Settings of an installation on the objects of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hearth.install import values
from hearth.install.kustomize import render
from hearth.install.values import InvalidValues, apply_values, assignment, merged, values_of
from hearth.install.valueschecks import check
from hearth.kube.meta import Object, name

CONFIG = Path(__file__).parents[4] / "config"


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    optional = ("keda", "external-scaler", "dispatchers", "pipelines")
    return render(CONFIG / "base", [CONFIG / "components" / each for each in optional])


def one(objects: list[Object], kind: str, title: str) -> Any:
    return next(o for o in objects if (o["kind"], name(o)) == (kind, title))


def test_without_values_nothing_changes(objects: list[Object]) -> None:
    assert apply_values(objects, {}) == objects
    assert apply_values(objects, values_of(objects)) == objects


def test_the_default_of_every_setting_is_the_same_at_all_its_places(objects: list[Object]) -> None:
    for setting in values.SETTINGS:
        found = [values.read(values.holder(objects, place), place.path) for place in setting.places]
        assert all(value == found[0] for value in found), setting.key


@pytest.mark.parametrize("setting", values.SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_is_set_and_taken_away(objects: list[Object], setting: Any) -> None:
    value: Any = {"string": "x", "integer": 7, "object": {"a": "b"}, "array": [{"a": "b"}]}.get(
        setting.schema.get("type"), (setting.schema.get("enum") or [None])[0]
    )
    given: dict[str, Any] = {}
    values.put(given, setting.path, value)
    check(values_of(objects), given)
    changed = apply_values(objects, given)
    values.put(given, setting.path, None)
    bare = apply_values(changed, given)
    for place in setting.places:
        found = values.read(values.holder(changed, place), place.path)
        # Mappings are merged, as Helm does it.
        assert found.items() >= value.items() if isinstance(value, dict) else found == value
        assert values.read(values.holder(bare, place), place.path) is None


def test_settings_of_the_environment_are_where_their_variables_are(objects: list[Object]) -> None:
    ports = {"externalPort": "30080", "externalTlsPort": "30443"}
    changed = apply_values(objects, {"logLevel": "DEBUG", "gateway": ports})
    control = one(changed, "Deployment", "hearth-control")["spec"]["template"]["spec"]
    found = {each["name"]: each.get("value") for each in control["containers"][0]["env"]}
    assert found["HEARTH_LOG_LEVEL"] == "DEBUG"
    assert found["HEARTH_EXTERNAL_PORT"] == "30080"
    assert found["HEARTH_EXTERNAL_TLS_PORT"] == "30443"
    activator = one(changed, "Deployment", "hearth-activator")["spec"]["template"]["spec"]
    found = {each["name"]: each.get("value") for each in activator["containers"][0]["env"]}
    assert found["HEARTH_EXTERNAL_TLS_PORT"] == "30443"


def test_config_maps_keep_what_values_do_not_name(objects: list[Object]) -> None:
    given = {"config": {"eventing": {"config-features": {"delivery-timeout": None, "new": "1"}}}}
    before = one(objects, "ConfigMap", "config-features")  # serving's, which is another one
    changed = apply_values(objects, given)
    after = [o for o in changed if name(o) == "config-features"]
    [eventing] = [o for o in after if o["metadata"]["namespace"] == "knative-eventing"]
    assert "delivery-timeout" not in eventing["data"] and eventing["data"]["new"] == "1"
    assert "delivery-retryafter" in eventing["data"]
    assert before in after


def test_the_example_of_a_config_map_stays(objects: list[Object]) -> None:
    given = {"config": {"serving": {"config-autoscaler": {"stable-window": "30s"}}}}
    changed = one(apply_values(objects, given), "ConfigMap", "config-autoscaler")
    assert changed["data"].keys() == {"_example", "stable-window"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"contrl": {}}, "contrl: there is no such setting; there are image"),
        ({"control": {"replica": 1}}, "control.replica: there is no such setting"),
        ({"control": {"replicas": "2"}}, "control.replicas: '2' is no integer"),
        ({"control": {"replicas": 0}}, "control.replicas: 0 is less than 1"),
        ({"control": 3}, "control: 3 is no object"),
        ({"gateway": {"type": "Router"}}, "'Router' is none of ClusterIP, LoadBalancer, NodePort"),
        ({"config": {"serving": {"config-none": {}}}}, "config-none: there is no such setting"),
        ({"config": {"serving": {"config-gc": {"a": 1}}}}, "config-gc.a: 1 is no string"),
        ({"image": True}, "image: True is no string"),
    ],
)
def test_what_no_setting_takes_is_refused(
    objects: list[Object], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidValues) as error:
        check(values_of(objects), given)
    assert words in str(error.value)


def test_all_problems_are_told_at_once(objects: list[Object]) -> None:
    with pytest.raises(InvalidValues) as error:
        check(values_of(objects), {"image": 1, "spread": "x"})
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("control.replicas=2", {"control": {"replicas": 2}}),
        ("image=reg/hearth:1=x", {"image": "reg/hearth:1=x"}),
        ("nodeSelector.a\\.b/c=d", {"nodeSelector": {"a.b/c": "d"}}),
        ("tolerations=[{key: x}]", {"tolerations": [{"key": "x"}]}),
        (
            "config.serving.config-domain.example\\.org=",
            {"config": {"serving": {"config-domain": {"example.org": ""}}}},
        ),
        (
            "config.serving.config-gc.min-non-active-revisions=2",
            {"config": {"serving": {"config-gc": {"min-non-active-revisions": "2"}}}},
        ),
    ],
)
def test_an_assignment_is_read(text: str, found: dict[str, Any]) -> None:
    assert assignment(text) == found


def test_an_assignment_needs_a_value() -> None:
    with pytest.raises(InvalidValues, match="KEY=VALUE"):
        assignment("image")


def test_values_are_laid_over_each_other() -> None:
    below = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(below, {"a": {"c": None}, "d": [1]}) == {"a": {"b": 1, "c": None}, "d": [1]}
    with pytest.raises(InvalidValues, match="file: values are a mapping"):
        values.parse("[]", source="file")
    assert values.parse("", source="file") == {}
