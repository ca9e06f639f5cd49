"""Triggers that ask by HTTP, against the answers that the makers of their servers document."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from hearth.keda.scalers import newrelic, selenium_grid
from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import Asked, answering
from tests.ports import free_port

SECRET = "a-secret-word"
WHO = {"username": "worker", "password": SECRET}
BASIC = f"Basic {base64.b64encode(f'worker:{SECRET}'.encode()).decode()}"
JOLOKIA = "/api/jolokia/read/org.apache.activemq:type=Broker,brokerName=main,"
ARTEMIS = (
    "/console/jolokia/read/org.apache.activemq.artemis:broker=%22main%22,component=addresses,"
    "address=%22orders%22,subcomponent=queues,routing-type=%22anycast%22,queue=%22jobs%22/"
    "MessageCount"
)


@dataclass(frozen=True)
class Case:
    """A type: its trigger (``URL`` and ``HOST`` are the server's), a document that has a value in
    it, and what the request for it is."""

    type: str
    metadata: dict[str, str]
    document: Callable[[Any], Any]
    path: str
    auth: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    others: dict[str, Any] = field(default_factory=dict)
    """What is answered at other paths."""
    name: str = ""

    def answer(self, value: Any) -> Callable[[Asked], Any]:
        def answered(asked: Asked) -> Any:
            other = self.others.get(asked.path)
            if other is not None:
                host = asked.headers["host"].partition(":")
                return json.loads(json.dumps(other).replace("PORT", host[2]))
            return self.document(value) if asked.path == self.path else None

        return answered

    def trigger(self, port: int, **more: Any) -> TriggerConfig:
        def filled(text: str) -> str:
            return text.replace("URL", f"http://127.0.0.1:{port}").replace(
                "HOST", f"127.0.0.1:{port}"
            )

        written = {key: filled(value) for key, value in self.metadata.items()}
        auth = {key: filled(value) for key, value in self.auth.items()}
        return dataclasses.replace(trigger(self.type, **written), auth=auth, **more)


def flux(value: Any) -> bytes:
    lines = (",result,table,_start,_value", f",_result,0,2026-01-01T00:00:00Z,{value}")
    return "\r\n".join((*lines, "", "")).encode()


def grid(value: Any) -> Any:
    """So many requests in the queue; what is no number makes the answer's form wrong."""
    is_count = type(value) is int and value >= 0
    request = json.dumps({"browserName": "chrome", "platformName": "linux"})
    nodes = [] if is_count else value
    queue = [request] * (value if is_count else 0)
    return {
        "data": {
            "grid": {"sessionCount": 0, "maxSession": 0, "totalSlots": 0},
            "nodesInfo": {"nodes": nodes},
            "sessionsInfo": {"sessionQueueRequests": queue},
        }
    }


CASES = [
    Case(
        "influxdb",
        {"serverURL": "URL", "query": "from(b)", "organizationName": "acme", "thresholdValue": "5"},
        flux,
        "/api/v2/query",
        {"authToken": SECRET},
        "POST",
        {"org": "acme"},
        {"authorization": f"Token {SECRET}"},
        {"query": "from(b)", "dialect": {"annotations": [], "header": True}},
    ),
    Case(
        "influxdb",
        {
            "serverURL": "URL/",
            "influxVersion": "3",
            "database": "jobs",
            "metricKey": "mean",
            "queryType": "FlightSQL",
            "query": "SELECT 1",
            "thresholdValue": "5",
        },
        lambda value: [{"mean": 1}, {"mean": value, "time": "2026-01-01T00:00:00"}],
        "/api/v3/query_sql",
        {"authToken": SECRET},
        "POST",
        {},
        {"authorization": f"Bearer {SECRET}"},
        {"db": "jobs", "q": "SELECT 1", "format": "json"},
        name="influxdb3",
    ),
    Case(
        "graphite",
        {
            "serverAddress": "URL",
            "query": "sum(jobs)",
            "queryTime": "-10Minutes",
            "authMode": "basic",
        },
        lambda value: [{"target": "jobs", "datapoints": [[1, 1000], [value, 1060], [None, 1120]]}],
        "/render",
        WHO,
        "GET",
        {"from": "-10Minutes", "target": "sum(jobs)", "format": "json"},
        {"authorization": BASIC},
    ),
    Case(
        "loki",
        {
            "serverAddress": "URL",
            "query": 'sum(rate({job="a"}[1m]))',
            "threshold": "5",
            "tenantName": "acme",
            "authModes": "bearer",
        },
        lambda value: {
            "status": "success",
            "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, str(value)]}]},
        },
        "/loki/api/v1/query",
        {"bearerToken": SECRET},
        "GET",
        {"query": 'sum(rate({job="a"}[1m]))'},
        {"x-scope-orgid": "acme", "authorization": f"Bearer {SECRET}"},
    ),
    Case(
        "elasticsearch",
        {
            "addresses": "URL",
            "index": "a;b",
            "query": '{"query": {"match_all": {}}}',
            "valueLocation": "hits.total.value",
            "targetValue": "5",
        },
        lambda value: {"took": 1, "hits": {"total": {"value": value, "relation": "eq"}}},
        "/a,b/_search",
        WHO,
        "POST",
        {},
        {"authorization": BASIC, "content-type": "application/json"},
        {"query": {"match_all": {}}},
    ),
    Case(
        "opensearch",
        {
            "addresses": "URL",
            "index": "a",
            "searchTemplateName": "waiting",
            "parameters": "state:waiting",
            "valueLocation": "aggregations.jobs.value",
            "targetValue": "5",
        },
        lambda value: {"aggregations": {"jobs": {"value": value}}},
        "/a/_search/template",
        WHO,
        "POST",
        {},
        {"authorization": BASIC},
        {"id": "waiting", "params": {"state": "waiting"}},
    ),
    Case(
        "activemq",
        {"managementEndpoint": "HOST", "brokerName": "main", "destinationName": "jobs"},
        lambda value: {"request": {}, "value": value, "timestamp": 1, "status": 200},
        f"{JOLOKIA}destinationType=Queue,destinationName=jobs/QueueSize",
        WHO,
        headers={"authorization": BASIC, "origin": "http://HOST"},
    ),
    Case(
        "artemis-queue",
        {
            "managementEndpoint": "HOST",
            "brokerName": "main",
            "brokerAddress": "orders",
            "queueName": "jobs",
            "activationQueueLength": "0",
        },
        lambda value: {"request": {}, "value": value, "timestamp": 1, "status": 200},
        ARTEMIS,
        WHO,
        headers={"authorization": BASIC, "origin": "http://HOST"},
    ),
    Case(
        "solr",
        {"host": "URL", "collection": "jobs", "query": "state:waiting", "targetQueryValue": "5"},
        lambda value: {"response": {"numFound": value, "start": 0, "docs": []}},
        "/solr/jobs/select",
        WHO,
        "GET",
        {"q": "state:waiting", "wt": "json"},
        {"authorization": BASIC},
    ),
    Case(
        "splunk",
        {
            "host": "URL",
            "savedSearchName": "jobs",
            "valueField": "count",
            "targetValue": "5",
            "activationValue": "0",
        },
        lambda value: json.dumps({"preview": False, "result": {"count": str(value)}}).encode(),
        "/servicesNS/worker/search/search/jobs/export",
        WHO,
        "POST",
        {"output_mode": "json"},
        {"authorization": BASIC},
        b"search=savedsearch jobs",
    ),
    Case(
        "nsq",
        {"nsqLookupdHTTPAddresses": "HOST,HOST", "topic": "t", "channel": "c"},
        lambda value: {
            "version": "1.2.1",
            "topics": [
                {
                    "topic_name": "t",
                    "depth": 0,
                    "channels": [{"channel_name": "c", "depth": value, "paused": False}],
                }
            ],
        },
        "/stats",
        query={"format": "json", "include_clients": "false", "include_mem": "false", "topic": "t"},
        others={
            "/lookup": {"producers": [{"broadcast_address": "127.0.0.1", "http_port": "PORT"}]}
        },
    ),
    Case(
        "pulsar",
        {
            "adminURL": "URL",
            "topic": "persistent://public/default/jobs",
            "subscription": "workers",
            "authModes": "bearer",
        },
        lambda value: {"msgRateIn": 0.0, "subscriptions": {"workers": {"msgBacklog": value}}},
        "/admin/v2/persistent/public/default/jobs/stats",
        {"bearerToken": SECRET},
        headers={"authorization": f"Bearer {SECRET}", "x-pulsar-auth-method-name": "token"},
    ),
    Case(
        "arangodb",
        {
            "endpoints": "URL",
            "dbName": "work",
            "collection": "jobs",
            "query": "RETURN {value: 1}",
            "queryValue": "5",
            "authModes": "basic",
        },
        lambda value: {"result": [{"value": value}], "hasMore": False, "count": 1},
        "/_db/work/_api/cursor",
        WHO,
        "POST",
        {},
        {"authorization": BASIC},
        {"query": "RETURN {value: 1}", "count": True},
        others={"/_db/work/_api/collection/jobs": {"name": "jobs"}},
    ),
    Case(
        "new-relic",
        {
            "account": "7",
            "nrql": "SELECT count(*)",
            "threshold": "5",
            "region": "local",
            "noDataError": "true",
        },
        lambda value: {
            "data": {"actor": {"account": {"nrql": {"results": [{"facet": "x", "count": value}]}}}}
        },
        "/graphql",
        {"queryKey": SECRET},
        "POST",
        {},
        {"api-key": SECRET},
        {
            "query": newrelic._QUERY,
            "variables": {"accountId": 7, "query": "SELECT count(*)"},
        },
    ),
    Case(
        "dynatrace",
        {"host": "URL/", "metricSelector": "jobs:sum", "threshold": "5"},
        lambda value: {"result": [{"metricId": "jobs", "data": [{"values": [value, 1]}]}]},
        "/api/v2/metrics/query",
        {"token": SECRET},
        "GET",
        {"metricSelector": "jobs:sum", "from": "now-2h"},
        {"authorization": f"Api-Token {SECRET}"},
    ),
    Case(
        "selenium-grid",
        {"url": "URL/graphql", "browserName": "chrome", "platformName": "linux"},
        grid,
        "/graphql",
        WHO,
        "POST",
        {},
        {"authorization": BASIC},
        {"query": selenium_grid._QUERY},
    ),
    Case(
        "forgejo-runner",
        {"address": "URL/", "labels": "docker,linux", "owner": "acme", "repo": "site"},
        lambda value: [{"id": 1}] * value if type(value) is int and value >= 0 else {"is": value},
        "/api/v1/repos/acme/site/actions/runners/jobs",
        {"token": SECRET},
        "GET",
        {"labels": "docker,linux"},
        {"authorization": f"token {SECRET}"},
    ),
    Case(
        "ibmmq",
        {"host": "URL/ibmmq/rest/v2/admin/action/qmgr/QM1/mqsc", "queueName": "A,B"},
        lambda value: {"commandResponse": [{"parameters": {"curdepth": value}}]},
        "/ibmmq/rest/v2/admin/action/qmgr/QM1/mqsc",
        WHO,
        "POST",
        {},
        {"authorization": BASIC, "ibm-mq-rest-csrf-token": "value"},
        {
            "type": "runCommandJSON",
            "command": "display",
            "qualifier": "qlocal",
            "name": "A",
            "responseParameters": ["CURDEPTH"],
        },
    ),
    Case(
        "datadog",
        {"query": "avg:jobs{*}", "queryValue": "5"},
        lambda value: {
            "status": "ok",
            "series": [{"metric": "jobs", "pointlist": [[1.0, 1.0], [2.0, value]]}],
        },
        "/api/v1/query",
        {"apiKey": SECRET, "appKey": f"{SECRET}-too", "datadogSite": "URL"},
        "GET",
        {"query": "avg:jobs{*}"},
        {"dd-api-key": SECRET, "dd-application-key": f"{SECRET}-too"},
    ),
]
EACH = pytest.mark.parametrize("case", CASES, ids=[case.name or case.type for case in CASES])


@pytest.fixture(autouse=True)
def _local_new_relic(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    urls = dict(newrelic._URLS)
    monkeypatch.setattr(newrelic, "_URLS", urls)
    yield urls


@pytest.fixture
def at(_local_new_relic: dict[str, str]) -> Callable[[Case, int], TriggerConfig]:
    def made(case: Case, port: int, **more: Any) -> TriggerConfig:
        _local_new_relic["local"] = f"http://127.0.0.1:{port}/graphql"
        return case.trigger(port, **more)

    return made


@EACH
async def test_the_value_is_read_and_asked_for_as_documented(case, at):
    async with answering(case.answer(7)) as server:
        assert await read(at(case, server.port)) == Reading(7, True)
    asked = next(each for each in server.asked if each.path == case.path)
    assert asked.method == case.method
    assert asked.query.items() >= case.query.items()
    wanted = {k: v.replace("HOST", f"127.0.0.1:{server.port}") for k, v in case.headers.items()}
    assert asked.headers.items() >= wanted.items()
    if isinstance(case.body, bytes):
        assert asked.body == case.body
    elif case.body is not None:
        assert json.loads(asked.body) == case.body


@EACH
async def test_one_client_reads_again_and_again(case, at):
    async with answering(case.answer(0)) as server, scaler(at(case, server.port)) as made:
        assert await made.read() == Reading(0, False)
        server.answers = case.answer(3)
        assert await made.read() == Reading(3, True)


@EACH
@pytest.mark.parametrize("value", [-1, "many", None, True], ids=str)
async def test_what_is_no_value_is_an_error(case, value, at):
    async with answering(case.answer(value)) as server:
        if case.type in ("graphite", "datadog") and value is None:
            assert (await read(at(case, server.port))).value == 1  # a gap: the value before it
            return
        with pytest.raises(ScalerError):
            await read(at(case, server.port))


def refusing(status: int) -> Callable[[Asked], Any]:
    body = json.dumps({"error": f"refused {SECRET}", "status": "error"})
    return lambda asked: web.Response(status=status, text=body, content_type="application/json")


@EACH
@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
async def test_a_refusal_is_an_error_that_shows_no_secret(case, status, at):
    async with answering(refusing(status)) as server:
        config = at(case, server.port)
        if case.type == "nsq" and status == 404:
            assert (await read(config)).value == 0  # a topic that nobody has had yet
            return
        with pytest.raises(ScalerError) as failure:
            await read(config)
    assert SECRET not in str(failure.value)


@EACH
@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[[]]", b"{}", b"null", b'"text"', b"\xff"], ids=repr
)
async def test_an_answer_of_another_form_is_an_error(case, body, at):
    async with answering(lambda asked: web.Response(body=body)) as server:
        if case.type == "forgejo-runner" and body == b"null":
            assert (await read(at(case, server.port))).value == 0  # its word for no jobs
            return
        with pytest.raises(ScalerError):
            await read(at(case, server.port))


@EACH
async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_configured(case, at):
    async with answering(None) as server:
        begun = time.monotonic()
        with pytest.raises(ScalerError) as failure:
            await read(at(case, server.port, timeout=0.2))
    assert time.monotonic() - begun < 20
    assert SECRET not in str(failure.value)


@EACH
async def test_a_server_that_is_away_is_an_error(case, at):
    with pytest.raises(ScalerError) as failure:
        await read(at(case, free_port()))
    assert SECRET not in str(failure.value)


async def test_of_several_addresses_of_elasticsearch_the_next_is_asked():
    case = next(each for each in CASES if each.type == "elasticsearch")
    async with answering(case.answer(4)) as server:
        config = case.trigger(server.port)
        addresses = f"http://127.0.0.1:{free_port()},{server.url}"
        config = dataclasses.replace(config, metadata={**config.metadata, "addresses": addresses})
        assert (await read(config)).value == 4


async def test_a_wrong_password_of_elasticsearch_is_said_in_kedas_words():
    case = next(each for each in CASES if each.type == "elasticsearch")
    async with answering(refusing(401)) as server:
        with pytest.raises(
            ScalerError, match=r"authentication failed \(HTTP 401\): check username"
        ):
            await read(case.trigger(server.port))


async def test_all_pages_of_couchdb_are_counted():
    def answers(asked: Asked) -> Any:
        said = json.loads(asked.body)
        assert said["selector"] == {"state": "waiting"}
        first = said.get("bookmark") is None
        count = 1000 if first else 7
        return {"docs": [{"_id": str(number)} for number in range(count)], "bookmark": "next"}

    config = trigger(
        "couchdb",
        host="127.0.0.1",
        port="PORT",
        dbName="animals",
        query='{"selector": {"state": "waiting"}}',
        queryValue="5",
    )
    async with answering(answers) as server:
        metadata = {**config.metadata, "port": str(server.port)}
        config = dataclasses.replace(config, metadata=metadata, auth=WHO)
        assert (await read(config)).value == 1007
        assert server.asked[0].path == "/animals/_find"
        assert server.asked[0].headers["authorization"] == BASIC
        server.answers = refusing(401)
        with pytest.raises(ScalerError, match=r"failed to inspect couchdb: .* status 401"):
            await read(config)


async def test_a_query_of_dynatrace_is_started_and_asked_for_until_it_is_done():
    states = ["RUNNING", "NOT_STARTED", "SUCCEEDED"]

    def answers(asked: Asked) -> Any:
        assert asked.headers["authorization"] == f"Bearer {SECRET}"
        if asked.path.endswith(":execute"):
            return web.json_response({"state": "RUNNING", "requestToken": "a+b"}, status=202)
        assert asked.query == {"request-token": "a+b"}
        return {"state": states.pop(0), "result": {"records": [{"r": 6}]}}

    config = trigger(
        "dynatrace", host="URL", query="fetch jobs", threshold="5", queryPollingWait="1ms"
    )
    async with answering(answers) as server:
        metadata = {**config.metadata, "host": server.url}
        config = dataclasses.replace(config, metadata=metadata, auth={"token": SECRET})
        assert (await read(config)).value == 6
        states[:] = ["RUNNING"] * 5
        with pytest.raises(ScalerError, match="did not complete within 5 attempts"):
            await read(config)


async def test_a_topic_on_several_nsqd_is_the_sum_and_one_that_is_away_an_error(at):
    case = next(each for each in CASES if each.type == "nsq")
    async with answering(case.answer(3)) as server, answering(case.answer(4)) as other:
        both = {
            "producers": [
                {"broadcast_address": "127.0.0.1", "http_port": each.port}
                for each in (server, other)
            ]
        }
        lookup = dataclasses.replace(case, others={"/lookup": both})
        server.answers = lookup.answer(3)
        assert (await read(at(case, server.port))).value == 7
        both["producers"].append({"broadcast_address": "127.0.0.1", "http_port": free_port()})
        with pytest.raises(ScalerError, match="error getting topic/channel depth: "):
            await read(at(case, server.port))


@pytest.mark.parametrize(("operation", "value"), [("max", 5), ("sum", 9), ("avg", 4)])
async def test_depths_of_several_queues_of_ibmmq(operation, value):
    def answers(asked: Asked) -> Any:
        depth = {"A": 4, "B": 5}[json.loads(asked.body)["name"]]
        return {"commandResponse": [{"parameters": {"curdepth": depth}}]}

    async with answering(answers) as server:
        said = {"host": f"{server.url}/mqsc", "queueNames": "A,B", "operation": operation}
        config = dataclasses.replace(trigger("ibmmq", **said), auth=WHO)
        assert (await read(config)).value == value


@pytest.mark.parametrize(
    ("status", "found", "words"),
    [
        (401, {}, "authentication failed: incorrect username or password"),
        (404, {"error": [{"message": "MQWB0009E: no such manager"}]}, "MQWB0009E: no such manager"),
        (404, {}, "failed to get the current queue depth parameter for queue A"),
        (200, {"commandResponse": [{"message": ["AMQ8147E: not found"]}]}, "AMQ8147E: not found"),
        (200, {"commandResponse": []}, "failed to get the current queue depth parameter"),
    ],
)
async def test_what_ibmmq_has_to_say(status, found, words):
    async with answering(lambda asked: web.json_response(found, status=status)) as server:
        config = trigger("ibmmq", host=f"{server.url}/mqsc", queueName="A")
        with pytest.raises(ScalerError, match=words):
            await read(dataclasses.replace(config, auth=WHO))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"global": "true"}, "/api/v1/admin/runners/jobs"),
        ({"org": "acme"}, "/api/v1/orgs/acme/actions/runners/jobs"),
        ({}, "/api/v1/user/actions/runners/jobs"),
    ],
)
async def test_where_forgejo_lists_jobs(said, path):
    async with answering(lambda asked: []) as server:
        config = trigger("forgejo-runner", address=server.url, labels="a", **said)
        assert await read(dataclasses.replace(config, auth={"token": SECRET})) == Reading(0, False)
    assert server.asked[0].path == path
