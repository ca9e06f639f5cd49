"""Service Bus and Google Cloud, against the answers that they document."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hearth.keda.scalers import gcp_monitoring, gcp_storage
from hearth.keda.scalers.seam import ConfigError, PodIdentity, Reading, ScalerError, TriggerConfig
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import Asked, Server, answering
from tests.ports import free_port

KEY = "c2VydmljZS1idXMta2V5"


def bus(port: int, **said: str) -> TriggerConfig:
    connection = (
        f"Endpoint=sb://127.0.0.1:{port}/;SharedAccessKeyName=root;SharedAccessKey={KEY};"
        "UseDevelopmentEmulator=true"
    )
    auth = {"connection": connection}
    return dataclasses.replace(trigger("azure-servicebus", **said), auth=auth)


def entry(name: str, count: Any) -> str:
    return (
        '<entry xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{name}</title><content><QueueDescription "
        'xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">'
        '<MessageCount>99</MessageCount><CountDetails xmlns:d2p1="http://schemas.microsoft.com/'
        f'netservices/2011/06/servicebus"><d2p1:ActiveMessageCount>{count}'
        "</d2p1:ActiveMessageCount></CountDetails></QueueDescription></content></entry>"
    )


def feed(*entries: str) -> bytes:
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'.encode()


async def test_active_messages_of_a_queue_and_of_a_subscription():
    def answers(asked: Asked) -> bytes:
        return entry("x", 7 if asked.path == "/orders" else 3).encode()

    async with answering(answers) as server:
        async with scaler(bus(server.port, queueName="orders")) as made:
            assert (made.spec.name, made.spec.target) == ("s0-azure-servicebus-orders", 5)
            assert await made.read() == Reading(7, True)
        config = bus(server.port, topicName="all", subscriptionName="mine")
        assert (await read(config)).value == 3
    assert [each.path for each in server.asked] == ["/orders", "/all/Subscriptions/mine"]
    assert server.asked[0].query == {"api-version": "2021-05"}
    told = server.asked[0].headers["authorization"]
    said = dict(parse_qsl(told.removeprefix("SharedAccessSignature ")))
    resource = quote(said["sr"], safe="")
    text = f"{resource}\n{said['se']}".encode()
    signed = base64.b64encode(hmac.new(KEY.encode(), text, hashlib.sha256).digest()).decode()
    assert (said["sig"], said["skn"]) == (signed, "root")
    assert KEY not in told


@pytest.mark.parametrize(("operation", "value"), [("sum", 7), ("max", 4), ("avg", 3)])
async def test_queues_whose_names_match(operation, value):
    async with answering(
        lambda asked: feed(entry("a1", 3), entry("a2", 4), entry("b", 9))
    ) as server:
        config = bus(server.port, queueName="a.", useRegex="true", operation=operation)
        async with scaler(config) as made:
            assert made.spec.name == "s0-azure-servicebus-queue-regex"
            assert (await made.read()).value == value


async def test_more_queues_than_a_page_has():
    def answers(asked: Asked) -> bytes:
        start = int(asked.query["$skip"])
        return feed(*(entry(f"q{number}", 1) for number in range(start, min(start + 100, 230))))

    async with answering(answers) as server:
        assert (await read(bus(server.port, queueName="q.*", useRegex="true"))).value == 230


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (feed(), "orders doesn't exist"),
        (entry("x", "many").encode(), "no number: 'many'"),
        (b"no xml", "ParseError"),
        (None, "status 404"),
    ],
)
async def test_what_is_no_queue(answer, words):
    async with answering(lambda asked: answer) as server:
        with pytest.raises(ScalerError, match="error getting service bus entity") as failure:
            await read(bus(server.port, queueName="orders"))
    assert words in str(failure.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "no service bus entity type set"),
        ({"queueName": "a", "topicName": "b"}, "both topic and queue name metadata provided"),
        ({"queueName": "a", "subscriptionName": "b"}, "subscription name provided with queue name"),
        ({"topicName": "b"}, "no subscription name provided with topic name"),
        ({"queueName": "(", "useRegex": "true"}, "queueName is not a valid regular expression"),
    ],
)
async def test_triggers_of_service_bus_that_are_written_wrong(said, words):
    with pytest.raises(ConfigError, match=words):
        await read(bus(1, **said))


async def test_a_connection_that_is_none_is_not_shown():
    config = trigger("azure-servicebus", queueName="a")
    with pytest.raises(ConfigError, match="failed parsing connection string") as fault:
        await read(dataclasses.replace(config, auth={"connection": "my-secret"}))
    assert "my-secret" not in str(fault.value)


class Google:
    """Tokens, projects and what else is answered by path."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __call__(self, asked: Asked) -> Any:
        if asked.path.endswith("/token"):
            return {"access_token": "given", "expires_in": 3600, "token_type": "Bearer"}
        if asked.path.endswith("/project-id"):
            return b"own-project"
        assert asked.headers["authorization"] == "Bearer given"
        found = self.answers[asked.path.rpartition("/")[2].partition(":")[0]]
        return found(asked) if callable(found) else found


@pytest.fixture(scope="module")
def account() -> tuple[rsa.RSAPrivateKey, dict[str, str]]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return key, {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "one",
        "private_key": text,
        "client_email": "reader@acme",
    }


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, account: Any) -> Callable[..., TriggerConfig]:
    """A trigger whose cloud is a server of the test."""

    def made(server: Server, type_: str, **said: str) -> TriggerConfig:
        monkeypatch.setattr(gcp_monitoring, "_API", f"{server.url}/v3")
        monkeypatch.setattr(gcp_storage, "_API", f"{server.url}/storage/v1/b")
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.port}")
        key = json.dumps({**account[1], "token_uri": f"{server.url}/token"})
        return dataclasses.replace(
            trigger(type_, **said), auth={"GoogleApplicationCredentials": key}
        )

    return made


def data(**value: Any) -> Any:
    return {"timeSeriesData": [{"pointData": [{"values": [value]}]}]}


def series(**value: Any) -> Any:
    return {"timeSeries": [{"points": [{"value": value}]}]}


async def test_messages_of_a_subscription(at, account):
    async with answering(Google(timeSeries=data(int64Value="7"))) as server:
        config = at(server, "gcp-pubsub", subscriptionName="jobs")
        async with scaler(config) as made:
            assert (made.spec.name, made.spec.target) == ("s0-gcp-ps-jobs", 10)
            assert [await made.read(), await made.read()] == [Reading(7, True)] * 2
    token, asked, again = server.asked
    form = parse_qs(token.body.decode())
    claims = jwt.decode(
        form["assertion"][0], account[0].public_key(), ["RS256"], audience=f"{server.url}/token"
    )
    assert claims["iss"] == "reader@acme"
    assert asked.path == again.path == "/v3/projects/acme/timeSeries:query"
    assert json.loads(asked.body)["query"] == (
        "fetch pubsub_subscription | metric "
        "'pubsub.googleapis.com/subscription/num_undelivered_messages' | filter "
        "(resource.project_id == 'acme' && resource.subscription_id == 'jobs') | within 120s"
    )


async def test_a_distribution_of_a_topic_of_another_project(at):
    said = {"topicName": "projects/other/topics/all", "mode": "MessageSizes"}
    async with answering(Google(timeSeries=data(doubleValue=2.5))) as server:
        config = at(server, "gcp-pubsub", aggregation="percentile99", **said)
        assert (await read(config)).value == 2.5
    asked = server.asked[-1]
    assert asked.path == "/v3/projects/other/timeSeries:query"
    query = json.loads(asked.body)["query"]
    assert "metric 'pubsub.googleapis.com/topic/message_sizes'" in query
    assert query.endswith("| align delta(3m) | every 3m | group_by [], percentile(value, 99)")


@pytest.mark.parametrize(
    ("said", "found", "words"),
    [
        ({}, {}, "could not find stackdriver metric with query"),
        ({}, data(stringValue="x"), "could not extract value from metric of type stringValue"),
        ({}, data(int64Value="-1"), "not negative"),
        ({"subscriptionName": "goog-jobs"}, {}, 'invalid Pub/Sub resource name "goog-jobs"'),
        ({"subscriptionName": "a' || 'b"}, {}, "invalid Pub/Sub resource name"),
        ({"aggregation": "mode"}, {}, "unsupported aggregation function: mode"),
        ({"aggregation": "percentile101"}, {}, "invalid percentile value: 101"),
    ],
)
async def test_what_of_pubsub_is_no_value(at, said, found, words):
    async with answering(Google(timeSeries=found)) as server:
        with pytest.raises(ScalerError) as failure:
            await read(at(server, "gcp-pubsub", **{"subscriptionName": "jobs", **said}))
    assert words in str(failure.value)


async def test_what_stands_for_no_value(at):
    async with answering(Google(timeSeries={})) as server:
        config = at(server, "gcp-pubsub", subscriptionName="jobs", valueIfNull="3")
        assert (await read(config)).value == 3


async def test_tasks_of_a_queue(at):
    async with answering(Google(timeSeries=series(int64Value="4"))) as server:
        config = at(server, "gcp-cloudtasks", queueName='a"b', projectID="work")
        assert await read(config) == Reading(4, True)
    asked = server.asked[-1]
    assert asked.path == "/v3/projects/work/timeSeries"
    assert asked.query["filter"] == (
        'metric.type="cloudtasks.googleapis.com/queue/depth" AND '
        'resource.labels.queue_id="a\\"b" AND resource.labels.project_id="work"'
    )


async def test_a_filter_of_ones_own_with_its_alignment(at):
    said = {
        "projectId": "work",
        "filter": 'metric.type="x"',
        "alignmentPeriodSeconds": "120",
        "alignmentAligner": "Sum",
        "alignmentReducer": "max",
    }
    async with answering(Google(timeSeries=series(doubleValue=1.5))) as server:
        assert (await read(at(server, "gcp-stackdriver", **said))).value == 1.5
    asked = server.asked[-1].query
    assert asked["aggregation.alignmentPeriod"] == "120s"
    assert asked["aggregation.perSeriesAligner"] == "ALIGN_SUM"
    assert asked["aggregation.crossSeriesReducer"] == "REDUCE_MAX"
    for change, words in (
        ({"alignmentPeriodSeconds": "59"}, "alignmentPeriodSeconds must be at least 60"),
        ({"alignmentAligner": "x"}, "unknown aligner: x"),
        ({"alignmentReducer": "x"}, "unknown reducer: x"),
    ):
        with pytest.raises(ConfigError, match=words):
            await read(at(server, "gcp-stackdriver", **{**said, **change}))


async def test_objects_of_a_bucket_up_to_a_limit(at):
    def pages(asked: Asked) -> Any:
        first = "pageToken" not in asked.query
        items = [{"size": "1"}] * 5 + [{"size": "0"}]
        return {"items": items, **({"nextPageToken": "n"} if first else {})}

    async with answering(Google(o=pages)) as server:
        assert (await read(at(server, "gcp-storage", bucketName="files"))).value == 10
        config = at(server, "gcp-storage", bucketName="files", maxBucketItemsToScan="7")
        assert (await read(config)).value == 7
        config = at(server, "gcp-storage", bucketName="files", blobPrefix="in/", blobDelimiter="/")
        await read(config)
        assert server.asked[-1].path == "/storage/v1/b/files/o"
        assert server.asked[-1].query.items() >= {"prefix": "in/", "delimiter": "/"}.items()
        server.answers = Google(o=lambda asked: web.Response(status=404))
        assert (await read(at(server, "gcp-storage", bucketName="gone"))).value == 0


async def test_the_identity_of_the_machine(at, monkeypatch):
    monkeypatch.delenv("CLOUDSDK_CORE_PROJECT", raising=False)
    async with answering(Google(timeSeries=data(int64Value="7"))) as server:
        config = at(server, "gcp-pubsub", subscriptionName="jobs")
        config = dataclasses.replace(config, auth={}, pod_identity=PodIdentity("gcp"))
        assert (await read(config)).value == 7
    project, token, asked = server.asked
    assert project.headers["metadata-flavor"] == token.headers["metadata-flavor"] == "Google"
    assert token.query == {"scopes": "https://www.googleapis.com/auth/monitoring.read"}
    assert asked.path == "/v3/projects/own-project/timeSeries:query"


@pytest.mark.parametrize("type_", ["gcp-pubsub", "gcp-storage"])
async def test_refusals_show_no_key(at, type_, account):
    named = {"subscriptionName": "jobs", "bucketName": "files"}
    async with answering(lambda asked: web.Response(status=403, text="private")) as server:
        with pytest.raises(ScalerError, match="token answered with status 403") as failure:
            await read(at(server, type_, **named))
        assert account[1]["private_key"] not in str(failure.value)
        config = dataclasses.replace(at(server, type_, **named), auth={})
        with pytest.raises(ConfigError, match="google application credentials not found"):
            await read(config)
        wrong = {"GoogleApplicationCredentials": '{"private_key": "my-secret"}'}
        with pytest.raises(ConfigError, match="are no key of a service account") as fault:
            await read(dataclasses.replace(config, auth=wrong))
        assert "my-secret" not in str(fault.value)


async def test_a_cloud_that_is_away(at):
    server = Server(None, free_port())
    with pytest.raises(ScalerError, match="error getting metric: "):
        await read(at(server, "gcp-pubsub", subscriptionName="jobs"))
