"""The environment of a container, from what its pod says and what that names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.keda.auth.environment import Wanted, container_of, environment, expanded, wanted
from hearth.keda.scalers.seam import ConfigError

_MAP, _SECRET = Wanted("ConfigMap", "settings"), Wanted("Secret", "words")
_KNOWN = {_MAP: {"HOST": "here", "PORT": "1"}, _SECRET: {"PASSWORD": "open"}}


def container(*env: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "app", "env": list(env), **more}


def secret_key(key: str, **more: Any) -> dict[str, Any]:
    return {"valueFrom": {"secretKeyRef": {"name": "words", "key": key, **more}}}


def test_whole_maps_and_single_members():
    found = container(
        {"name": "WORD", **secret_key("PASSWORD")},
        {"name": "MORE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "PORT"}}},
        {"name": "PLAIN", "value": "$(A_HOST):$(WORD)$$(X)$(Y)"},
        {"name": "EMPTY"},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "A_"}],
    )
    assert wanted(found) == {_MAP, _SECRET}
    assert environment(found, _KNOWN, "team") == {
        "A_HOST": "here",
        "A_PORT": "1",
        "WORD": "open",
        "MORE": "1",
        "PLAIN": "here:open$(X)$(Y)",
        "EMPTY": "",
    }


def test_a_member_that_is_missing_is_empty():
    assert environment(container({"name": "A", **secret_key("no")}), _KNOWN, "n") == {"A": ""}


def test_what_is_optional_may_be_missing():
    found = container(
        {"name": "A", **secret_key("x", optional=True)},
        envFrom=[{"secretRef": {"name": "words", "optional": True}}],
    )
    assert environment(found, {_SECRET: None}, "team") == {}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            container(envFrom=[{"configMapRef": {"name": "settings"}}]),
            "error reading config ref settings on namespace team",
        ),
        (
            container(envFrom=[{"secretRef": {"name": "words"}}]),
            "error reading secret ref words on namespace team",
        ),
        (
            container({"name": "A", **secret_key("x")}),
            "error resolving secret name words for env A in namespace team",
        ),
    ],
)
def test_what_is_not_optional_has_to_be_there(found, words):
    with pytest.raises(ConfigError, match=words):
        environment(found, {_SECRET: None, _MAP: None}, "team")


def test_secrets_may_be_out_of_reach():
    found = container(
        {"name": "A", **secret_key("PASSWORD")}, envFrom=[{"secretRef": {"name": "words"}}]
    )
    assert environment(found, {}, "team", with_secrets=False) == {}


def test_the_container_is_the_first_or_the_one_that_is_named():
    pod = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert (container_of(pod, "")["name"], container_of(pod, "b")["name"]) == ("a", "b")
    with pytest.raises(ConfigError, match="couldn't find container with name c on Target object"):
        container_of(pod, "c")
    with pytest.raises(ConfigError, match="target object doesn't have containers"):
        container_of({}, "")


@given(st.text(alphabet="$()AB", max_size=12))
def test_nothing_known_changes_only_doubled_dollars(text):
    assert expanded(text, {}).count("A") == text.count("A")
    assert expanded(text.replace("$", ""), {}) == text.replace("$", "")
