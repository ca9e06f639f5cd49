"""The adapter of PingSources: what arrives, of which replica, and what is told of what does not."""

import asyncio
import contextlib
import datetime
import os
import sys

from eventing.sources.ping.adapter import LAST_TICK_ANNOTATION
from eventing.sources.ping.main import PingConfig, run
from hearth.knative.leaderelection import Candidacy
from hearth.knative.resources import BROKERS, EVENTTYPES, PINGSOURCES
from hearth.kube.clock import parse_rfc3339, wall_clock
from hearth.kube.resources import CONFIGMAPS, DEPLOYMENTS, EVENTS, LEASES, SERVICES
from tests.component.eventing.cluster import (
    cluster,
    condition,
    next_of,
    running,
    sink,
)
from tests.ports import free_port
from tests.waiting import is_ready

EACH_SECOND = "* * * * * *"


def adapter(found, name=None):
    election = None if name is None else Candidacy(name, "127.0.0.1")
    return running(lambda ready: run(PingConfig(found.kubeconfig, election), ready))


async def told(found, reason):
    """The message of the first Event with a reason."""
    async with asyncio.timeout(30):
        while True:
            events, _ = await found.client.list(EVENTS, "default")
            for event in events:
                if event["reason"] == reason:
                    return event["message"]
            await asyncio.sleep(0.05)


async def test_each_tick_is_an_event(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        await found.create(
            PINGSOURCES,
            "p",
            schedule=EACH_SECOND,
            data='{"x": 1}',
            contentType="application/json",
            sink=to,
            ceOverrides={"extensions": {"team": "one"}},
        )
        async with adapter(found):
            first, second = await next_of(got), await next_of(got)
            assert first["ce-type"] == "dev.knative.sources.ping"
            assert first["kn-namespace"] == "default"
            assert first["ce-source"] == "/apis/v1/namespaces/default/pingsources/p"
            assert (first["ce-team"], first["content-type"]) == ("one", "application/json")
            ticks = [parse_rfc3339(each["ce-time"]) for each in (first, second)]
            while ticks[-1] != ticks[-2] + 1:  # a machine that stands still misses one
                ticks.append(parse_rfc3339((await next_of(got))["ce-time"]))
            assert first["ce-id"] != second["ce-id"]
            # Another schedule: nothing of the old one comes any more.
            soon = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
            month = soon.month % 12 + 1
            change = {"spec": {"schedule": f"0 0 1 {month} *"}}
            await found.client.patch(PINGSOURCES, "p", "default", change)
            with contextlib.suppress(TimeoutError):
                while True:
                    last = await next_of(got, seconds=2.5)
                    assert parse_rfc3339(last["ce-time"]) < wall_clock() + 1
            assert got.empty()


async def test_of_two_replicas_one_fires_and_the_other_takes_over(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        await found.create(PINGSOURCES, "p", schedule=EACH_SECOND, sink=to)
        times = []
        async with adapter(found, "b"):
            async with adapter(found, "a"):
                times += [(await next_of(got))["ce-time"] for _ in range(3)]
            times += [(await next_of(got))["ce-time"] for _ in range(3)]
        assert len(set(times)) == len(times), "no tick is fired twice"
        assert times == sorted(times)


async def test_ticks_that_nobody_fired_are_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, _):
        ping = await found.create(PINGSOURCES, "p", schedule="* * * * *", sink=to)
        await found.until(PINGSOURCES, "p", lambda obj: (obj.get("status") or {}).get("sinkUri"))
        last = wall_clock() // 60 * 60 - 300
        note = f"{ping['metadata']['generation']} {last:.0f}"
        status = {"annotations": {LAST_TICK_ANNOTATION: note}}
        await found.client.patch(
            PINGSOURCES, "p", "default", {"status": status}, subresource="status"
        )
        async with adapter(found):
            message = await told(found, "MissSchedule")
        assert message.startswith(("missed 5 ticks before", "missed 6 ticks before"))
        assert message.endswith("no adapter was running, or none was leading")


async def test_a_sink_that_does_not_take_events_is_told(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        nowhere = {"uri": f"http://127.0.0.1:{found.port}/ns/b"}
        await found.create(PINGSOURCES, "p", schedule=EACH_SECOND, sink=nowhere)
        async with adapter(found):
            message = await told(found, "EventNotDelivered")
        assert message.startswith(nowhere["uri"])


async def test_the_shared_adapter_is_there_while_a_source_is(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found:
        await found.create(SERVICES, "sink", ports=[{"port": 80}])
        to = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "sink"}}
        for name in ("p", "q"):
            await found.create(PINGSOURCES, name, schedule=EACH_SECOND, sink=to)
        where = "pingsource-mt-adapter", "knative-eventing"

        async def replicas(wanted):
            async with asyncio.timeout(30):
                while True:
                    made, _ = await found.client.list(DEPLOYMENTS, where[1])
                    if [each["spec"]["replicas"] for each in made] == wanted:
                        return
                    await asyncio.sleep(0.02)

        await replicas([1])
        types, _ = await found.client.list(EVENTTYPES, "default")
        async with asyncio.timeout(30):
            while len(types) < 2:
                await asyncio.sleep(0.02)
                types, _ = await found.client.list(EVENTTYPES, "default")
        await found.client.delete(PINGSOURCES, "p", "default")
        await found.client.patch(DEPLOYMENTS, *where, {"spec": {"replicas": 2}})
        await replicas([2])
        await found.client.delete(PINGSOURCES, "q", "default")
        await replicas([0])
        await found.create(PINGSOURCES, "r", schedule=EACH_SECOND, sink=to)
        await replicas([1])


async def test_a_token_is_shown_where_senders_must_say_who_they_are(tmp_path):
    async with cluster(tmp_path) as found, sink() as (to, got):
        await found.create_broker()
        await found.create_trigger("t", to)
        broker = {"apiVersion": BROKERS.api_version, "kind": BROKERS.kind, "name": "default"}
        await found.create(PINGSOURCES, "p", schedule=EACH_SECOND, sink={"ref": broker})
        flags = {"data": {"authentication-oidc": "enabled"}}
        await found.client.patch(CONFIGMAPS, "config-features", "knative-eventing", flags)
        ping = await found.until(
            PINGSOURCES,
            "p",
            lambda obj: "auth" in (obj.get("status") or {}) and obj["status"].get("sinkAudience"),
        )
        account = ping["status"]["auth"]["serviceAccountName"]
        assert account == "p-oidc-sources.knative.dev-pingsource"
        async with adapter(found):
            assert (await next_of(got))["ce-type"] == "dev.knative.sources.ping"


@contextlib.asynccontextmanager
async def process(found, name, log):
    """A replica in a process of its own, that can be killed; it is ready."""
    health = free_port()
    with log.open("wb") as errors:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hearth.cli", "run", "pingsource"),
            env={
                **os.environ,
                "KUBECONFIG": str(found.kubeconfig),
                "POD_NAME": name,
                "POD_IP": "127.0.0.1",
                "HEARTH_HOST": "127.0.0.1",
                "HEARTH_HEALTH_PORT": str(health),
                "HEARTH_METRICS_PORT": str(free_port()),
            },
            stderr=errors,
        )
    try:
        async with asyncio.timeout(60):
            while not await is_ready(health):
                assert started.returncode is None, log.read_text()
                await asyncio.sleep(0.02)
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def test_no_tick_is_fired_twice_when_the_one_that_fires_is_killed(tmp_path):
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        timing = {"lease-duration": "2s", "renew-deadline": "1.5s", "retry-period": "500ms"}
        await found.client.patch(
            CONFIGMAPS, "config-leader-election", "knative-eventing", {"data": timing}
        )
        await found.create(PINGSOURCES, "p", schedule=EACH_SECOND, sink=to)
        async with (
            process(found, "a", tmp_path / "a.log") as a,
            process(found, "b", tmp_path / "b.log") as b,
        ):
            times = [(await next_of(got, 20))["ce-time"] for _ in range(2)]
            leases, _ = await found.client.list(LEASES, "knative-eventing")
            [lease] = [e for e in leases if e["metadata"]["name"].startswith("pingsource")]
            {"a": a, "b": b}[lease["spec"]["holderIdentity"].partition("_")[0]].kill()
            times += [(await next_of(got, 20))["ce-time"] for _ in range(4)]
        assert times == sorted(set(times)), "each once, in order"


async def test_what_the_adapter_cannot_read_is_told_and_taken_back(tmp_path, monkeypatch):
    def unknown(text, zone=""):
        raise ValueError(f"unknown time zone {zone}")

    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, got):
        zone = "Europe/Berlin"
        await found.create(PINGSOURCES, "p", schedule=EACH_SECOND, timezone=zone, sink=to)
        made = await found.until_there(DEPLOYMENTS, "pingsource-mt-adapter", "knative-eventing")
        ready = {"type": "Available", "status": "True", "reason": "R", "message": "m"}
        await found.client.update_status(DEPLOYMENTS, {**made, "status": {"conditions": [ready]}})
        await found.until_ready(PINGSOURCES, "p")
        with monkeypatch.context() as patched:
            # An image without that zone, which control has.
            patched.setattr("eventing.sources.ping.adapter.Schedule", unknown)
            async with adapter(found):
                obj = await found.until(
                    PINGSOURCES, "p", lambda obj: condition(obj, "Deployed")[0] == "False"
                )
        _, reason, message = condition(obj, "Deployed")
        assert reason == "AdapterCannotRead"
        assert "unknown time zone Europe/Berlin" in message and "tzdata" in message
        async with adapter(found):
            await found.until_ready(PINGSOURCES, "p")
            await next_of(got)
