"""WebhookSource: what is refused, in Knative's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.eventing.api.test_kinds import DEFINITIONS, asked, completed, said

SINK = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "s"}}
SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
SOURCE = {"sink": SINK, "sender": "github", "secrets": [SECRET]}
HTTP = {**SOURCE, "sender": "http"}


@pytest.mark.parametrize(
    "spec",
    [
        SOURCE,
        {**SOURCE, "tolerance": "PT1H", "timeout": "PT2.5S", "reply": True},
        {**HTTP, "signature": {"header": "S", "signed": "{id}.{body}", "idHeader": "I"}},
        {**HTTP, "token": {"query": "key"}, "event": {"type": "a.{header:X}", "data": "/a"}},
    ],
)
def test_what_is_sound_stays_as_it_is(spec: dict[str, Any]) -> None:
    assert completed("WebhookSource", spec) == spec
    assert said(asked("WebhookSource", spec)) == ""


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            {},
            "expected at least one, got none: spec.sink.ref, spec.sink.uri\n"
            "missing field(s): spec.secrets, spec.sender",
        ),
        (
            {**SOURCE, "sender": "gitea", "secrets": [{"secretKeyRef": {"name": "s"}}]},
            "invalid value: gitea: spec.sender\nexpected one of github, gitlab, bitbucket, slack, "
            "stripe, dockerhub, standard, http\n"
            "missing field(s): spec.secrets[0].secretKeyRef.key",
        ),
        (
            {**SOURCE, "tolerance": "5m", "timeout": "PT2M"},
            "invalid value: 5m: spec.tolerance\n'5m' is not an ISO 8601 duration\n"
            "invalid value: PT2M: spec.timeout\nmore than nothing, at most PT60S",
        ),
        (
            {**SOURCE, "signature": {"header": "S"}, "token": {"header": "T"}},
            "must not set the field(s): spec.signature, spec.token",
        ),
        (
            {
                **HTTP,
                "signature": {"header": "S", "algorithm": "md5", "signed": "{timestamp}.{body}"},
                "token": {},
            },
            "invalid value: md5: spec.signature.algorithm\n"
            "invalid value: token: spec.token\nexpected exactly one of header, query\n"
            "invalid value: {timestamp}.{body}: spec.signature.signed\n"
            "{timestamp} needs timestampHeader",
        ),
        (
            {**HTTP, "event": {"id": "{x}", "data": "a", "extensions": {"id": "1", "A": "{"}}},
            'invalid key name "A": spec.event.extensions\n'
            'attribute "A": names are made of a-z and 0-9 only\n'
            'invalid key name "id": spec.event.extensions\nid is no extension\n'
            "invalid value: a: spec.event.data\nexpected a JSON pointer, as /payload\n"
            "invalid value: {: spec.event.extensions.A\n"
            "a lone {: write {{ for the character itself\n"
            "invalid value: {x}: spec.event.id\n"
            "{x} is none of header:NAME, query:NAME, /a/pointer",
        ),
    ],
)
def test_what_is_wrong_is_said(spec: dict[str, Any], complaint: str) -> None:
    assert said(asked("WebhookSource", spec)) == f"validation failed: {complaint}"


def test_it_shows_itself_as_a_source() -> None:
    crd = DEFINITIONS["WebhookSource"].crd
    assert crd.labels["duck.knative.dev/source"] == "true"
    assert "sources" in crd.categories and crd.name == "webhooksources.sources.hearth.dev"
