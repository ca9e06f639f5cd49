"""IntegrationSource with a table's changes, against a server that answers as AWS does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

from eventing.aws.faults import AwsFault
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS
from tests.component.eventing.aws.awsserver import adapter, at, client, process, sink
from tests.waiting import until

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def table(url, *, made=0.0, **spec):
    usual = {"table": "orders", "delay": 10, "streamIteratorType": "FROM_LATEST"}
    return {"ddbStreams": at(url, **{**usual, **spec}), "made": made}


async def make(ddb, **more):
    await ddb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


async def put(ddb, *numbers, **more):
    for number in numbers:
        item = {"id": {"N": f"{number}"}, **more}
        await ddb.put_item(TableName="orders", Item=item)


def ids_of(to):
    return [json.loads(each)["dynamodb"]["keys"]["id"]["n"] for each in to.bodies()]


async def test_changes_become_events_in_order(aws):
    async with client(aws, "dynamodb") as ddb, sink() as to:
        await make(ddb, StreamSpecification=STREAM)
        async with adapter(to, **table(aws)):
            await put(ddb, 1, title={"S": "Star Wars IV"})
            await put(ddb, 1, title={"S": "V"})
            await ddb.delete_item(TableName="orders", Key={"id": {"N": "1"}})
            await to.until(3)
        headers, _ = to.got[0]
        assert headers["ce-type"] == "dev.knative.eventing.aws-ddb-streams"
        assert headers["ce-source"] == "dev.knative.eventing.aws-ddb-streams-source"
        assert headers["ce-subject"] == "aws-ddb-streams-source"
        assert headers["content-type"] == "application/json"
        first, second, third = map(json.loads, to.bodies())
        assert [first["eventName"], second["eventName"], third["eventName"]] == [
            "INSERT",
            "MODIFY",
            "REMOVE",
        ]
        change = first["dynamodb"]
        nothing: dict[str, Any] = {"ss": [], "ns": [], "bs": [], "m": {}, "l": []}
        assert change["newImage"]["title"] == {"s": "Star Wars IV", **nothing, "type": "S"}
        assert change["keys"] == {"id": {"n": "1", **nothing, "type": "N"}}
        assert change["oldImage"] == {} and change["streamViewType"] == "NEW_AND_OLD_IMAGES"
        assert second["dynamodb"]["oldImage"]["title"]["s"] == "Star Wars IV"


async def test_the_position_moves_only_when_the_sink_took_it(aws):
    async with client(aws, "dynamodb") as ddb, sink() as to:
        await make(ddb, StreamSpecification=STREAM)
        await put(ddb, 1, 2, 3)
        to.status = lambda body: 400 if b'"n":"2"' in body else 200
        async with adapter(to, **table(aws)):
            await until(lambda: ids_of(to).count("2") >= 2)
            assert "3" not in ids_of(to)
            to.status = lambda body: 200
            await until(lambda: "3" in ids_of(to))
        assert ids_of(to).count("1") == ids_of(to).count("3") == 1
        assert len(set(to.ids())) == 3


async def test_from_latest_leaves_out_what_is_older_than_the_source(aws):
    async with client(aws, "dynamodb") as ddb, sink() as to:
        await make(ddb, StreamSpecification=STREAM)
        await put(ddb, 1)
        late = time.time() + 3600
        async with adapter(to, **table(aws, made=late, streamIteratorType="FROM_START")):
            await to.until(1)
        async with adapter(to, **table(aws, made=late)):
            await put(ddb, 2)
            async with adapter(to, **table(aws, made=time.time() - 3600)):
                await to.until(3)
        assert ids_of(to) == ["1", "1", "2"]


@pytest.mark.parametrize("stream", [{}, {"StreamSpecification": STREAM}])
async def test_what_the_user_has_to_mend_is_told(aws, stream):
    async with client(aws, "dynamodb") as ddb, sink() as to:
        with pytest.raises(AwsFault, match="there is no table orders in us-east-1"):
            async with adapter(to, **table(aws)):
                pass
        await make(ddb, **stream)
        bad, says = table(aws), "has no stream: enable it"
        if stream:
            bad, says = table(aws, streamIteratorType="NOW"), "streamIteratorType is NOW"
        with pytest.raises(AwsFault, match=says):
            async with adapter(to, **bad):
                pass


async def test_nothing_is_lost_when_it_is_killed_in_the_middle(aws):
    async with client(aws, "dynamodb") as ddb, sink() as to:
        await make(ddb, StreamSpecification=STREAM)
        made = time.time() - 10
        await put(ddb, *range(10))
        async with process(to, **table(aws, made=made)):
            await to.until(4)
        await put(ddb, *range(10, 20))
        async with adapter(to, **table(aws, made=made)):
            await until(lambda: len(set(ids_of(to))) == 20)
        # What was sent before comes again with the same ids.
        assert len(set(to.ids())) == 20


# -- where a stream was read to ------------------------------------------------------------------


@contextlib.asynccontextmanager
async def kept(folder):
    """An API server with the ConfigMap that control makes."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_apiserver(folder))
        api = await stack.enter_async_context(KubeClient.from_kubeconfig(server.kubeconfig))
        metadata = {"name": "o-position", "namespace": "default"}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await api.create(CONFIGMAPS, made)

        async def text():
            found = await api.get(CONFIGMAPS, "o-position", "default")
            return (found.get("data") or {}).get("position", "")

        yield server.kubeconfig, text, api


async def test_an_adapter_that_begins_anew_goes_on_where_the_last_one_was(aws, tmp_path):
    async with (
        client(aws, "dynamodb") as ddb,
        sink() as to,
        kept(tmp_path) as (kubeconfig, text, _),
    ):
        await make(ddb, StreamSpecification=STREAM)
        place = {**table(aws), "position": "o-position"}
        async with adapter(to, kubeconfig=kubeconfig, **place):
            await put(ddb, 1, 2)
            await to.until(2)
        assert '"stream": "arn:aws:dynamodb:' in await text()
        await put(ddb, 3)
        async with adapter(to, kubeconfig=kubeconfig, **place):
            await put(ddb, 4)
            await to.until(4)
        assert ids_of(to) == ["1", "2", "3", "4"]


async def test_a_kill_repeats_no_more_than_was_not_kept_yet(aws, tmp_path):
    async with (
        client(aws, "dynamodb") as ddb,
        sink() as to,
        kept(tmp_path) as (kubeconfig, text, _),
    ):
        await make(ddb, StreamSpecification=STREAM)
        place = {**table(aws, made=time.time() - 10), "position": "o-position"}
        await put(ddb, *range(10))
        async with process(to, kubeconfig=kubeconfig, **place):
            await to.until(10)
            before = await text()
            await put(ddb, *range(10, 20))
            await to.until(20)
            async with asyncio.timeout(60):
                while await text() == before:
                    await asyncio.sleep(0.05)
        async with adapter(to, kubeconfig=kubeconfig, **place):
            await put(ddb, 20)
            await until(lambda: "20" in ids_of(to))
        assert ids_of(to).count("0") == 1
        assert set(ids_of(to)) == {f"{number}" for number in range(21)}


async def test_the_position_of_another_stream_counts_for_nothing(aws, tmp_path):
    async with (
        client(aws, "dynamodb") as ddb,
        sink() as to,
        kept(tmp_path) as (kubeconfig, text, api),
    ):
        await make(ddb, StreamSpecification=STREAM)
        await put(ddb, 1)
        bad = {"data": {"position": '{"stream": "arn:other", "shards": {"s": "9"}}'}}
        await api.patch(CONFIGMAPS, "o-position", "default", bad)
        place = {**table(aws), "position": "o-position"}
        async with adapter(to, kubeconfig=kubeconfig, **place):
            await to.until(1)
        assert "arn:other" not in await text()


async def test_without_a_place_for_it_events_come_again(aws, tmp_path, caplog):
    async with client(aws, "dynamodb") as ddb, sink() as to, kept(tmp_path) as (kubeconfig, _, _):
        await make(ddb, StreamSpecification=STREAM)
        await put(ddb, 1)
        place = {**table(aws), "position": "nobody-made-it"}
        for count in (1, 2):
            async with adapter(to, kubeconfig=kubeconfig, **place):
                await to.until(count)
        assert ids_of(to) == ["1", "1"]
    told = [each for each in caplog.records if "cannot be kept" in each.message]
    assert len(told) == 2  # once by each
