"""Several activators as processes: a limit holds while any of them, and pods, are killed."""

from __future__ import annotations

import asyncio

from tests.bench import activators


async def test_killed_activators_and_pods_lose_nothing_and_break_no_limit() -> None:
    async with activators.running(work=10.0) as cluster:
        outcome = await activators.killing(cluster, rate=60.0, kills=4, kill_every=1.0)
    assert outcome.lost == 0, outcome.failures
    assert outcome.answered > outcome.kills == 4
    assert outcome.most_in_a_pod <= activators.LIMIT


async def test_with_fewer_pods_than_activators_all_share_one_and_use_it_whole() -> None:
    async with activators.running(pods=1, limit=2, work=20.0) as cluster:
        outcome = activators.Outcome()
        clients = [activators.Client(cluster, outcome) for _ in range(12)]
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.get())
        for client in clients:
            client.close()
        assert (outcome.answered, outcome.lost, outcome.repeated) == (12, 0, 0)
        assert cluster.most_in_a_pod() == 2


async def test_an_orderly_end_hands_its_pods_over_and_loses_no_request() -> None:
    async with activators.running(activators=2, work=20.0) as cluster:
        outcome = activators.Outcome()
        ending = next(iter(cluster.activators))
        client = activators.Client(cluster, outcome)
        process, _ = cluster.activators.pop(ending)
        process.terminate()
        for _ in range(20):
            await client.get()
        client.close()
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        assert (outcome.answered, outcome.lost, outcome.repeated) == (20, 0, 0)
        assert cluster.most_in_a_pod() <= activators.LIMIT
