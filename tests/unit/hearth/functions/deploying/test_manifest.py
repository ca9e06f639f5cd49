"""The Service that is wanted: what was said is there, what was not said stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hearth.functions.deploying.manifest import new_service, with_revision, with_settings
from hearth.functions.deploying.settings import DeploySettings, SettingsError

Object = dict[str, Any]

EVERYTHING = DeploySettings(
    image="i",
    port=9000,
    env={"A": "1"},
    secrets={"TOKEN": "shop:token", "/etc/keys": "keys"},
    cpu="500m",
    memory="64Mi",
    min=1,
    max=3,
    concurrency=10,
    target=5,
    timeout=30,
    private=True,
    warm=True,
    service_account="robot",
    command=["x"],
    args=["y"],
    labels={"team": "a"},
    annotations={"note": "b"},
)


def test_all_that_can_be_said() -> None:
    service = with_settings(new_service("shop", "default"), EVERYTHING)
    assert service["metadata"]["labels"] == {"networking.knative.dev/visibility": "cluster-local"}
    template = service["spec"]["template"]
    assert template["metadata"] == {
        "annotations": {
            "autoscaling.knative.dev/min-scale": "1",
            "autoscaling.knative.dev/max-scale": "3",
            "autoscaling.knative.dev/target": "5",
            "hearth.dev/warm-interpreter": "enabled",
            "note": "b",
        },
        "labels": {"team": "a"},
    }
    mount = {"name": "secret-etc-keys", "mountPath": "/etc/keys", "readOnly": True}
    assert template["spec"] == {
        "containerConcurrency": 10,
        "timeoutSeconds": 30,
        "serviceAccountName": "robot",
        "volumes": [{"name": "secret-etc-keys", "secret": {"secretName": "keys"}}],
        "containers": [
            {
                "image": "i",
                "command": ["x"],
                "args": ["y"],
                "ports": [{"containerPort": 9000}],
                "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
                "env": [
                    {"name": "A", "value": "1"},
                    {
                        "name": "TOKEN",
                        "valueFrom": {"secretKeyRef": {"name": "shop", "key": "token"}},
                    },
                ],
                "volumeMounts": [mount],
            }
        ],
    }


def test_the_same_again_changes_nothing() -> None:
    once = with_settings(new_service("shop", "default"), EVERYTHING)
    once["spec"]["template"]["metadata"]["name"] = "shop-v1"
    assert with_settings(once, EVERYTHING) == once


def test_what_is_not_said_stays() -> None:
    """Others' fields and order too; a template with a change gives up its revision's name."""
    before = with_settings(new_service("shop", "default"), EVERYTHING)
    template = before["spec"]["template"]
    template["metadata"]["name"] = "shop-v1"
    template["spec"]["containers"].append({"name": "sidecar", "image": "s"})
    kept = copy.deepcopy(before)
    after = with_settings(before, DeploySettings(env={"A": "2"}, private=False))
    assert before == kept
    assert after["spec"]["template"]["spec"]["containers"][0]["env"][0] == {
        "name": "A",
        "value": "2",
    }
    del kept["spec"]["template"]["metadata"]["name"]
    kept["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "2"
    kept["metadata"]["labels"] = {}
    assert after == kept


def test_a_variable_of_a_secret_names_a_key() -> None:
    with pytest.raises(SettingsError, match="SECRET:KEY"):
        with_settings(new_service("shop", "default"), DeploySettings(secrets={"A": "shop"}))


def test_a_variable_that_is_unset_goes() -> None:
    there = with_settings(new_service("a", "b"), DeploySettings(env={"A": "1", "B": "2"}))
    gone = with_settings(there, DeploySettings(unset=["A", "C"]))
    [container] = gone["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "B", "value": "2"}]


@pytest.mark.parametrize(
    ("image", "suffix", "name"),
    [
        ("i:2", "", "shop-00005-green"),
        ("i:2", "v2", "shop-v2"),
        ("i:1", "v2", "shop-v2"),
        ("i:1", "", "shop-00003"),
    ],
)
def test_a_revision_that_is_tagged_has_a_name_beforehand(
    image: str, suffix: str, name: str
) -> None:
    there = with_settings(new_service("shop", "default"), DeploySettings(image="i:1"))
    there["metadata"]["generation"] = 4
    there["status"] = {"latestCreatedRevisionName": "shop-00003"}
    wanted = with_settings(there, DeploySettings(image=image))
    made, found = with_revision(wanted, there, suffix, "green")
    assert found == name
    named = made["spec"]["template"]["metadata"].get("name")
    assert named == (None if name == "shop-00003" else name)
    again = with_revision(copy.deepcopy(made), made, suffix, "green")
    assert again[0] == made, "the same again changes nothing"
    if suffix:
        other = with_settings(made, DeploySettings(image="i:3"))
        with pytest.raises(SettingsError, match="revision shop-v2 is there already"):
            with_revision(other, made, suffix, "")


def test_the_first_revision_may_have_a_tag() -> None:
    new = new_service("shop", "default")
    wanted = with_settings(new, DeploySettings(image="i"))
    assert with_revision(wanted, None, "", "green")[1] == "shop-00001-green"


def test_scale_that_is_said_now_counts_and_not_what_the_service_said_before() -> None:
    there = new_service("shop", "default")
    own = "autoscaling.hearth.dev/"
    there["metadata"]["annotations"] = {f"{own}min-scale": "2", f"{own}window": "10s"}
    assert with_settings(there, DeploySettings(max=4))["metadata"] == there["metadata"]
    wanted = with_settings(there, DeploySettings(min=4))
    assert wanted["metadata"]["annotations"] == {f"{own}window": "10s"}
