"""Who may send, and as whom events are sent on: authentication-oidc against a real API server."""

import asyncio
import base64
import json

import pytest

from eventing.api import keys
from hearth.knative.resources import (
    BROKERS,
    CHANNELS,
    EVENTPOLICIES,
    INMEMORYCHANNELS,
    SEQUENCES,
    SUBSCRIPTIONS,
    TRIGGERS,
)
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from tests.component.eventing.cluster import cluster, condition, next_of, sink

AUDIENCE = "eventing.knative.dev/broker/default/default"


async def switch(found, **flags):
    """Set flags of config-features; admission goes by them a moment later."""
    data = {name.replace("_", "-"): value for name, value in flags.items()}
    await found.client.patch(CONFIGMAPS, "config-features", keys.SYSTEM_NAMESPACE, {"data": data})


async def token(found, account="default", namespace="default", audience=AUDIENCE):
    path = SERVICEACCOUNTS.path(namespace, account, "token")
    spec = {"audiences": [audience]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await found.client.request("POST", path, body=body)
    return {"authorization": f"Bearer {answer['status']['token']}"}


async def until_answered(wanted, send):
    """Settings, policies and keys reach the broker process a moment later."""
    async with asyncio.timeout(60):
        while (status := await send()) != wanted:
            assert status in (202, 401, 403, 503)
            await asyncio.sleep(0.02)


def claims(headers):
    payload = headers["authorization"].removeprefix("Bearer ").split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def create_policy(found, title, **spec):
    """Creating them is refused until admission knows that authentication is on."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await found.create(EVENTPOLICIES, title, **spec)
            except ApiError as error:
                assert "oidc-authentication feature not enabled" in error.message
                await asyncio.sleep(0.02)


def has_audience(obj):
    return "audience" in ((obj.get("status") or {}).get("address") or {})


async def until_gone(found, resource, title):
    async with asyncio.timeout(60):
        while True:
            try:
                await found.client.get(resource, title, "default")
            except NotFound:
                return
            await asyncio.sleep(0.02)


async def test_who_may_send_to_a_broker(tmp_path):
    async with cluster(tmp_path) as found:
        await found.create_broker()
        broker = await found.until_ready(BROKERS, "default")
        assert "audience" not in broker["status"]["address"]
        url = broker["status"]["address"]["url"]
        assert await found.send(url) == 202

        await switch(found, authentication_oidc="enabled")
        await found.until(
            BROKERS, "default", lambda obj: obj["status"]["address"].get("audience") == AUDIENCE
        )
        own = await token(found)
        await until_answered(401, lambda: found.send(url))
        await until_answered(202, lambda: found.send(url, **own))
        async with found.session.post(url, data=b"{}", headers={"authorization": "x"}) as answer:
            assert answer.status == 400, "what is no event is told first"
        async with found.session.options(url) as answer:
            assert answer.status == 200
        assert await found.send(url, authorization="Bearer x.y.z") == 401
        assert await found.send(url, **await token(found, audience="another")) == 401

        await found.client.create(
            NAMESPACES,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}},
        )
        await found.until_there(SERVICEACCOUNTS, "default", "other")
        other = await token(found, namespace="other")
        assert await found.send(url, **other) == 403
        await switch(found, default_authorization_mode="allow-all")
        await until_answered(202, lambda: found.send(url, **other))
        await switch(found, default_authorization_mode="deny-all")
        await until_answered(403, lambda: found.send(url, **own))

        senders = [{"sub": "system:serviceaccount:other:*"}]
        to = [{"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker"}}]
        to[0]["ref"]["name"] = "default"
        filters = [{"exact": {"type": "good"}}]
        await create_policy(found, "p", **{"from": senders, "to": to, "filters": filters})
        policy = await found.until_ready(EVENTPOLICIES, "p")
        assert policy["status"]["from"] == ["system:serviceaccount:other:*"]
        broker = await found.until(
            BROKERS, "default", lambda obj: bool(obj["status"].get("policies"))
        )
        assert condition(broker, "EventPoliciesReady")[0] == "True"
        good = {"ce-type": "good"}
        await until_answered(202, lambda: found.send(url, **other, **good))
        assert await found.send(url, **other) == 403
        assert await found.send(url, **own, **good) == 403

        # A policy whose sender is not there is not ready; it lets nobody in.
        ref = {"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "name": "t"}
        await create_policy(found, "q", **{"from": [{"ref": ref}], "to": to})
        policy = await found.until(
            EVENTPOLICIES, "q", lambda obj: condition(obj, "SubjectsResolved")[0] == "False"
        )
        assert 'triggers.eventing.knative.dev "t" not found' in condition(policy)[2]
        broker = await found.until(BROKERS, "default", lambda obj: condition(obj)[0] == "False")
        assert condition(broker)[1:] == ("EventPoliciesNotReady", "event policies q are not ready")
        await found.client.delete(EVENTPOLICIES, "p", "default")
        await until_answered(403, lambda: found.send(url, **other, **good))
        assert await found.send(url, **own) == 403

        # Once the sender is there, its identity is what counts.
        await found.create_trigger("t", {"uri": "http://127.0.0.1:9/"})
        account = "t-oidc-eventing.knative.dev-trigger"
        await found.client.delete(EVENTPOLICIES, "q", "default")
        await found.until_ready(TRIGGERS, "t")
        await create_policy(found, "q", **{"from": [{"ref": ref}], "to": to})
        await found.until_ready(EVENTPOLICIES, "q")
        as_trigger = await token(found, account)
        await until_answered(202, lambda: found.send(url, **as_trigger))

        await switch(found, authentication_oidc="disabled")
        await until_answered(202, lambda: found.send(url))
        await until_gone(found, SERVICEACCOUNTS, account)
        policy = await found.until(EVENTPOLICIES, "q", lambda obj: condition(obj)[0] == "False")
        assert condition(policy)[1] == "OIDCAuthenticationDisabled"


async def test_deliveries_show_who_they_are_from(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got), sink() as (dead, died):
        await switch(found, authentication_oidc="enabled")
        await found.create_broker()
        broker = await found.until(BROKERS, "default", has_audience)
        nowhere = {"uri": "http://127.0.0.1:9/", "audience": "nobody"}
        letters = {"deadLetterSink": {**dead, "audience": "letters"}}
        await found.create_trigger("t", {**to, "audience": "my/sink"})
        await found.create_trigger("plain", to)
        await found.create_trigger("dead", nowhere, delivery=letters)
        for title in ("t", "plain", "dead"):
            trigger = await found.until_ready(TRIGGERS, title)
            account = f"{title}-oidc-eventing.knative.dev-trigger"
            assert trigger["status"]["auth"] == {"serviceAccountName": account}
        own = await token(found)
        url = broker["status"]["address"]["url"]
        await until_answered(202, lambda: found.send(url, **own))
        headers = [await next_of(got), await next_of(got)]
        [shown] = [each for each in headers if "authorization" in each]
        found_claims = claims(shown)
        assert found_claims["aud"] == ["my/sink"]
        subject = "system:serviceaccount:default:t-oidc-eventing.knative.dev-trigger"
        assert found_claims["sub"] == subject
        letter = await next_of(died)
        assert claims(letter)["aud"] == ["letters"]
        assert letter["ce-knativeerrordest"] == "http://127.0.0.1:9/"


@pytest.mark.parametrize("allowed", [True, False])
async def test_channels_hold_senders_and_subscriptions_to_it(tmp_path, allowed):
    async with cluster(tmp_path) as found, sink() as (to, got):
        await switch(found, authentication_oidc="enabled")
        await found.create(CHANNELS, "c")
        channel = await found.until(CHANNELS, "c", has_audience)
        audience = "messaging.knative.dev/inmemorychannel/default/c"
        assert channel["status"]["address"]["audience"] == audience
        ref = {"apiVersion": CHANNELS.api_version, "kind": "Channel", "name": "c"}
        await found.create(
            SUBSCRIPTIONS, "s", channel=ref, subscriber={**to, "audience": "my/sink"}
        )
        subscription = await found.until_ready(SUBSCRIPTIONS, "s")
        account = "s-oidc-messaging.knative.dev-subscription"
        assert subscription["status"]["auth"] == {"serviceAccountName": account}
        backing = await found.client.get(INMEMORYCHANNELS, "c", "default")
        assert backing["spec"]["subscribers"][0]["auth"] == {"serviceAccountName": account}
        sender = "system:serviceaccount:default:" + ("default" if allowed else "nobody")
        await create_policy(found, "p", **{"from": [{"sub": sender}], "to": [{"ref": ref}]})
        handed_on = await found.until_ready(EVENTPOLICIES, "p-c")
        assert handed_on["spec"]["to"][0]["ref"]["kind"] == "InMemoryChannel"
        own = await token(found, audience=audience)
        wanted = 202 if allowed else 403
        await until_answered(wanted, lambda: found.send_to(channel, **own))
        if allowed:
            assert claims(await next_of(got))["aud"] == ["my/sink"]
            await found.client.delete(EVENTPOLICIES, "p", "default")
            await until_gone(found, EVENTPOLICIES, "p-c")


async def test_steps_of_a_sequence_are_let_in_by_the_one_before(tmp_path):
    async with cluster(tmp_path) as found:
        await switch(found, authentication_oidc="enabled")
        steps = [{"uri": "http://127.0.0.1:9/"}] * 2
        await found.create(SEQUENCES, "q", steps=steps)
        told = await found.until_ready(SEQUENCES, "q")
        senders = told["status"]["auth"]["serviceAccountNames"]
        ending = "oidc-messaging.knative.dev-subscription"
        assert senders == [f"q-kn-sequence-{number}-{ending}" for number in range(2)]
        policy = await found.until_ready(EVENTPOLICIES, "q-q-kn-sequence-1")
        account = "q-kn-sequence-0-oidc-messaging.knative.dev-subscription"
        assert policy["status"]["from"] == [f"system:serviceaccount:default:{account}"]
        change = {"spec": {"steps": steps[:1]}}
        await found.client.patch(SEQUENCES, "q", "default", change)
        await until_gone(found, EVENTPOLICIES, "q-q-kn-sequence-1")
