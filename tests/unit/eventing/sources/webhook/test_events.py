"""The events of requests: types, sources, subjects and ids, by sender and by templates."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventing.codec import Event
from eventing.sources.webhook.received import FORM, Received, Refusal
from eventing.sources.webhook.rules import SENDERS, event_of, rules_of
from eventing.sources.webhook.senders import bitbucket, slack

OWN = "/apis/sources.hearth.dev/v1alpha1/namespaces/ns/webhooksources/w"
REPOSITORY = {"name": "r", "html_url": "https://github.com/o/r", "owner": {"login": "o"}, "id": 7}


def source(sender: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w", "namespace": "ns"}, "spec": {"sender": sender, **spec}}


def made(sender: str, body: Any, headers: dict[str, str], **spec: Any) -> Event:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content-type": "application/json"} if not isinstance(body, bytes) else {}
    return event_of(rules_of(source(sender, **spec)), Received(content, {**kind, **headers}))


def github(event: str, body: Any, **spec: Any) -> Event:
    return made("github", body, {"x-github-event": event, "x-github-delivery": "d-1"}, **spec)


def test_a_push_to_github() -> None:
    compare = "https://github.com/o/r/compare/a...b"
    body = {"ref": "refs/heads/x", "compare": compare, "repository": REPOSITORY}
    event = github("push", {**body, "sender": {"login": "me"}})
    assert event.attributes == {
        "specversion": "1.0",
        "id": "d-1",
        "type": "dev.knative.source.github.push",
        "source": "https://github.com/o/r",
        "subject": "a...b",
        "datacontenttype": "application/json",
        "owner": "o",
        "repository": "r",
        "sender": "me",
        "ref": "refs/heads/x",
    }
    assert json.loads(event.data or b"")["ref"] == "refs/heads/x"


@pytest.mark.parametrize(
    ("event", "body", "subject"),
    [
        ("issues", {"issue": {"number": 3}}, "3"),
        ("pull_request", {"pull_request": {"number": 4}}, "4"),
        ("issue_comment", {"comment": {"html_url": "https://h/o/r/issues/2#issuecomment-3"}}, None),
        ("release", {"release": {"tag_name": "v1"}}, "v1"),
        ("star", {"repository": REPOSITORY}, "7"),
        ("ping", {"hook_id": 9, "zen": "x"}, "9"),
    ],
)
def test_what_github_events_are_about(event: str, body: Any, subject: str | None) -> None:
    assert github(event, body).attributes.get("subject") == (subject or "2#issuecomment-3")


def test_github_of_organizations_and_forms() -> None:
    assert github("org", {"organization": {"login": "o"}}).attributes["source"] == (
        "https://github.com/o"
    )
    assert github("ping", {}).attributes["source"] == OWN
    form = urlencode({"payload": '{"action": "x"}'}).encode()
    headers = {"x-github-event": "e", "x-github-delivery": "d", "content-type": FORM}
    event = made("github", form, headers)
    assert (event.data, event.attributes["action"]) == (b'{"action": "x"}', "x")


def test_gitlab() -> None:
    body = {"project": {"web_url": "https://gitlab.com/g/p"}, "object_attributes": {"iid": 5}}
    headers = {"x-gitlab-event": "Merge Request Hook", "x-gitlab-event-uuid": "u"}
    event = made("gitlab", body, {**headers, "idempotency-key": "k"})
    attributes = event.attributes
    assert attributes["type"] == "dev.knative.sources.gitlab.merge_request"
    assert attributes["source"] == "https://gitlab.com/g/p"
    assert (attributes["id"], attributes["subject"]) == ("k", "5")
    assert attributes["comgitlabevent"] == "Merge Request Hook"
    # What one event sets off has its number, too: the body tells deliveries apart.
    older = [made("gitlab", {**body, "n": n}, headers).attributes["id"] for n in (1, 2, 1)]
    assert older[0] == older[2] != older[1] and str(older[0]).startswith("u-")
    with pytest.raises(Refusal):
        made("gitlab", body, {"x-gitlab-event": "Push"})


def test_bitbucket_of_both_kinds() -> None:
    cloud = {"repository": {"full_name": "t/r", "links": {"html": {"href": "https://b.org/t/r"}}}}
    event = made("bitbucket", cloud, {"x-event-key": "repo:push", "x-request-uuid": "u"})
    assert event.attributes["type"] == "dev.knative.source.bitbucket.repo:push"
    assert (event.attributes["source"], event.attributes["id"]) == ("https://b.org/t/r", "u")
    server = {
        "repository": {"slug": "r", "links": {"self": [{"href": "https://own/r/browse"}]}},
        "changes": [{"ref": {"displayId": "main"}}],
    }
    event = made("bitbucket", server, {"x-event-key": "repo:refs_changed", "x-request-id": "i"})
    assert (event.attributes["source"], event.attributes["subject"]) == (
        "https://own/r/browse",
        "main",
    )
    test = Received(b"", {"x-event-key": "diagnostics:ping"})
    assert bitbucket.unchecked(test) is not None


def test_slack_events_commands_and_buttons() -> None:
    body = {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "event_time": 1355517523,
        "event": {"type": "app_mention", "channel": "C1", "user": "U1"},
    }
    event = made("slack", body, {"x-slack-retry-num": "1"})
    attributes = event.attributes
    assert attributes["type"] == "com.slack.event.app_mention"
    assert (attributes["source"], attributes["id"]) == ("https://slack.com/T1", "Ev1")
    assert (attributes["time"], attributes["slackretrynum"]) == ("2012-12-14T20:38:43Z", "1")
    told = {"command": "/deploy", "text": "x y", "team_id": "T1", "trigger_id": "t", "token": "s"}
    event = made("slack", urlencode(told).encode(), {"content-type": FORM})
    assert (event.attributes["type"], event.attributes["subject"]) == (
        "com.slack.command",
        "/deploy",
    )
    assert json.loads(event.data or b"") == {k: v for k, v in told.items() if k != "token"}
    payload = {"type": "block_actions", "token": "s", "actions": [{"action_id": "a"}]}
    form = urlencode({"payload": json.dumps(payload)}).encode()
    event = made("slack", form, {"content-type": FORM})
    assert event.attributes["type"] == "com.slack.interaction.block_actions"
    assert event.attributes["subject"] == "a" and b"token" not in (event.data or b"")


def test_slack_is_told_at_once_what_is_no_event() -> None:
    kind = {"content-type": "application/json"}
    asks = Received(b'{"type": "url_verification", "challenge": "abc"}', kind)
    answer = slack.asked(asks)
    assert answer is not None and (answer.status, answer.body) == (200, b"abc")
    assert slack.asked(Received(b"ssl_check=1", {"content-type": FORM})) is not None
    assert slack.asked(Received(b'{"type": "event_callback"}', kind)) is None


def test_slack_is_answered_in_its_own_words() -> None:
    assert json.loads(slack.replied(b"done", "text/plain").body) == {
        "response_type": "ephemeral",
        "text": "done",
    }
    assert json.loads(slack.replied(b'"done"', "application/json").body)["text"] == "done"
    whole = b'{"blocks": []}'
    assert slack.replied(whole, "application/json; charset=utf-8").body == whole
    assert slack.replied(b"", "").body == b""


def test_stripe_and_docker_hub() -> None:
    body = {"id": "evt_1", "type": "charge.failed", "created": 1, "data": {"object": {"id": "ch"}}}
    event = made("stripe", body, {})
    assert event.attributes["type"] == "com.stripe.charge.failed"
    assert (event.attributes["id"], event.attributes["subject"]) == ("evt_1", "ch")
    with pytest.raises(Refusal):
        made("stripe", {}, {})
    hub = {
        "callback_url": "https://registry.hub.docker.com/u/o/r/hook/1/",
        "push_data": {"tag": "latest", "pusher": "me", "pushed_at": 1417566161},
        "repository": {"repo_name": "o/r"},
    }
    event = made("dockerhub", hub, {})
    assert event.attributes["source"] == "https://hub.docker.com/r/o/r"
    assert event.attributes["callbackurl"] == hub["callback_url"]
    assert event.attributes["subject"] == "latest"


def test_standard_webhooks_tell_their_type() -> None:
    event = made("standard", {"type": "user.created"}, {"webhook-id": "m"})
    assert (event.attributes["type"], event.attributes["source"]) == ("user.created", OWN)
    plain = made("standard", b"\xff", {"webhook-id": "m", "content-type": "image/png"})
    assert (plain.attributes["type"], plain.data) == ("dev.hearth.webhook", b"\xff")


def test_templates_say_what_an_event_is() -> None:
    event = {
        "type": "com.example.{header:X-Kind}",
        "source": "https://example.com/{/repo/name}",
        "id": "{query:id}",
        "subject": "{/items/0}",
        "data": "/repo",
        "extensions": {"team": "{/team}", "other": "{{x}}"},
    }
    body = json.dumps({"repo": {"name": "r"}, "items": [12]}).encode()
    rules = rules_of(source("http", event=event, ceOverrides={"extensions": {"env": "test"}}))
    found = event_of(rules, Received(body, {"x-kind": "made"}, {"id": "7"}))
    assert found.attributes == {
        "specversion": "1.0",
        "type": "com.example.made",
        "source": "https://example.com/r",
        "id": "7",
        "subject": "12",
        "datacontenttype": "application/json",
        "other": "{x}",
        "env": "test",
    }
    assert found.data == b'{"name":"r"}'
    with pytest.raises(Refusal, match=r"no id: the request has no \{query:id\}"):
        event_of(rules, Received(body, {"x-kind": "made"}))
    with pytest.raises(Refusal, match="source"):
        bad = rules_of(source("http", event={"source": "{header:S}"}))
        event_of(bad, Received(body, {"s": "%zz"}))


def test_what_cannot_be_read_is_refused() -> None:
    for body, kind, status in (
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"<a/>", "application/xml", 415),
        (b"\xff=", FORM, 400),
    ):
        with pytest.raises(Refusal) as caught:
            headers = {"content-type": kind, "x-github-event": "e", "x-github-delivery": "d"}
            made("github", body, headers)
        assert caught.value.status == status, body


HEADERS = ("x-github-event", "x-github-delivery", "x-event-key", "x-gitlab-event", "webhook-id")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["repository", "id", "type", "event", "project", "payload", "a"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    st.sampled_from([*SENDERS, "http"]),
    st.one_of(st.binary(), JSON.map(lambda each: json.dumps(each).encode())),
    st.lists(st.text(min_size=1, max_size=20), min_size=5, max_size=5),
    st.sampled_from(["application/json", FORM, "", "text/plain"]),
)
def test_a_body_makes_a_sound_event_or_none(
    sender: str, body: bytes, values: list[str], kind: str
) -> None:
    headers = dict(zip(HEADERS, values, strict=True)) | {"content-type": kind}
    try:
        event = event_of(rules_of(source(sender)), Received(body, headers))
    except Refusal as refusal:
        assert 400 <= refusal.status < 500
        return
    assert event.attributes["id"] and event.attributes["type"]
    assert all("\n" not in str(value) for value in event.attributes.values())
