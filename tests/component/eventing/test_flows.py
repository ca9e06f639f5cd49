"""Sequence and Parallel against a real API server: what goes through which steps and branches."""

import asyncio
import dataclasses

from hearth.knative.resources import INMEMORYCHANNELS, PARALLELS, SEQUENCES, SUBSCRIPTIONS
from tests.component.eventing.cluster import HEADERS, cluster, next_of, sink


def reply(kind):
    return HEADERS | {"ce-id": f"of-{kind}", "ce-type": kind}


def loops_back(found):
    """A broker that finds in-cluster hosts at its own ingress, as through a gateway."""
    config = found.broker_config()
    return dataclasses.replace(config, gateway_address=("127.0.0.1", found.port))


async def test_each_step_gets_the_reply_of_the_one_before(tmp_path):
    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("first")) as (first, first_got),
        sink(answer=reply("second")) as (second, second_got),
        sink() as (end, end_got),
    ):
        await found.create(SEQUENCES, "q", steps=[first, second], reply=end)
        sequence = await found.until_ready(SEQUENCES, "q")
        url = "http://q-kn-sequence-0-kn-channel.default.svc.cluster.local"
        assert sequence["status"]["address"] == {"url": url}
        assert await found.send_to(sequence) == 202
        assert (await next_of(first_got))["ce-type"] == "t"
        assert (await next_of(second_got))["ce-type"] == "first"
        assert (await next_of(end_got))["ce-type"] == "second"
        # A step that is taken out takes its channel with it.
        change = {"spec": {"steps": [second]}}
        await found.client.patch(SEQUENCES, "q", "default", change)
        async with asyncio.timeout(60):
            while [
                len((await found.client.list(kind, "default"))[0])
                for kind in (INMEMORYCHANNELS, SUBSCRIPTIONS)
            ] != [1, 1]:
                await asyncio.sleep(0.02)
        await found.until(
            SEQUENCES, "q", lambda obj: len(obj["status"]["subscriptionStatuses"]) == 1
        )
        await found.until_ready(SEQUENCES, "q")
        assert await found.send_to(sequence) == 202
        assert (await next_of(second_got))["ce-type"] == "t"
        assert (await next_of(end_got))["ce-type"] == "second"


async def test_branches_get_what_their_filters_let_pass(tmp_path):
    async with (
        cluster(tmp_path, make_config=loops_back) as found,
        sink(answer=reply("passed")) as (passes, _),
        sink() as (refuses, refuses_got),
        sink(answer=reply("one")) as (one, one_got),
        sink() as (two, two_got),
        sink(answer=reply("three")) as (three, three_got),
        sink() as (end, end_got),
        sink() as (own, own_got),
    ):
        branches = [
            {"filter": passes, "subscriber": one, "reply": own},
            {"filter": refuses, "subscriber": two},
            {"subscriber": three},
        ]
        await found.create(PARALLELS, "p", branches=branches, reply=end)
        parallel = await found.until_ready(PARALLELS, "p")
        assert await found.send_to(parallel) == 202
        assert (await next_of(one_got))["ce-type"] == "passed"
        assert (await next_of(own_got))["ce-type"] == "one"
        assert (await next_of(three_got))["ce-type"] == "t"
        assert (await next_of(end_got))["ce-type"] == "three"
        await next_of(refuses_got)
        assert two_got.empty() and own_got.empty() and end_got.empty()
