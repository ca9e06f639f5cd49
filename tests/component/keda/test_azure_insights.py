"""azure-monitor, azure-log-analytics and azure-app-insights, against the documented answers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from hearth.keda.scalers import azure_monitor
from hearth.keda.scalers.seam import ConfigError, PodIdentity, Reading, ScalerError, TriggerConfig
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import Asked, answering
from tests.ports import free_port

SECRET = "a-secret-word"
MONITOR = {
    "resourceURI": "Microsoft.Web/sites/app",
    "tenantId": "acme",
    "subscriptionId": "sub",
    "resourceGroupName": "group",
    "metricName": "Requests",
    "metricAggregationType": "Average",
    "targetValue": "5",
}
LOGS = {"query": "jobs | count", "threshold": "5", "workspaceId": "space"}
INSIGHTS = {
    "metricId": "requests/duration",
    "metricAggregationTimespan": "0:5",
    "metricAggregationType": "avg",
    "applicationInsightsId": "app",
    "tenantId": "acme",
    "targetValue": "5",
}
APPLICATION = {"activeDirectoryClientId": "me", "activeDirectoryClientPassword": SECRET}
OWN_URL = {
    "azure-monitor": "azureResourceManagerEndpoint",
    "azure-log-analytics": "logAnalyticsResourceURL",
    "azure-app-insights": "appInsightsResourceURL",
}
WRITTEN: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "azure-monitor": (MONITOR, APPLICATION),
    "azure-log-analytics": (LOGS, {"tenantId": "acme", "clientId": "me", "clientSecret": SECRET}),
    "azure-app-insights": (INSIGHTS, APPLICATION),
}
TYPES = pytest.mark.parametrize("type_", WRITTEN)


def document(type_: str, value: Any) -> Any:
    if type_ == "azure-monitor":
        data = [{"timeStamp": "t", "average": 1.0}, {"timeStamp": "u", "average": value}]
        return {"value": [{"name": {"value": "Requests"}, "timeseries": [{"data": data}]}]}
    if type_ == "azure-log-analytics":
        return {"tables": [{"columns": [{"name": "Count", "type": "long"}], "rows": [[value]]}]}
    return {"value": {"start": "s", "requests/duration": {"avg": value}}}


def serving(found: Any) -> Callable[[Asked], Any]:
    def answers(asked: Asked) -> Any:
        if asked.path == "/acme/oauth2/v2.0/token":
            return {"access_token": "given", "expires_in": 3600}
        assert asked.headers["authorization"] == "Bearer given"
        return found

    return answers


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TriggerConfig]:
    def made(port: int, type_: str, **said: str) -> TriggerConfig:
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", url)
        metadata, auth = WRITTEN[type_]
        private = {"cloud": "Private", OWN_URL[type_]: url, "activeDirectoryEndpoint": url}
        written = {**metadata, **private, **said}
        return dataclasses.replace(trigger(type_, **written), auth=auth)

    return made


@TYPES
async def test_the_value_is_read_with_one_token(type_, at):
    found = serving(document(type_, 7.5))
    async with answering(found) as server, scaler(at(server.port, type_)) as made:
        assert made.spec.target == 5
        assert [await made.read(), await made.read()] == [Reading(7.5, True)] * 2
    token, asked, _ = server.asked
    form = {key: value[0] for key, value in parse_qs(token.body.decode()).items()}
    assert form == {
        "client_id": "me",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": f"{server.url}/.default",
    }
    if type_ == "azure-log-analytics":
        assert asked.path == "/v1/workspaces/space/query"
        assert json.loads(asked.body) == {"query": "jobs | count"}
    elif type_ == "azure-app-insights":
        assert asked.path == "/v1/apps/app/metrics/requests/duration"
        assert asked.query == {"aggregation": "avg", "timespan": "PT00H05M"}
    else:
        group = "/subscriptions/sub/resourceGroups/group/providers/Microsoft.Web/sites/app"
        assert asked.path == f"{group}/providers/Microsoft.Insights/metrics"
        assert asked.query.items() >= {"metricnames": "Requests", "aggregation": "Average"}.items()


async def test_the_time_that_is_asked_for(at):
    async with answering(serving(document("azure-monitor", 1))) as server:
        said = {"metricAggregationInterval": "1:0:30", "metricFilter": "a eq 'b'"}
        made = azure_monitor.make(at(server.port, "azure-monitor", **said), lambda: 7230.0)
        await made.read()
        await made.close()
    asked = server.asked[-1].query
    assert asked["timespan"] == "1970-01-01T01:00:00Z/1970-01-01T02:00:30Z"
    assert asked["$filter"] == "a eq 'b'"


@TYPES
@pytest.mark.parametrize("value", [-1, "many", None], ids=str)
async def test_what_is_no_value(type_, value, at):
    async with answering(serving(document(type_, value))) as server:
        with pytest.raises(ScalerError):
            await read(at(server.port, type_))


@TYPES
@pytest.mark.parametrize("found", [{}, [], {"value": [], "tables": []}, b"no json"], ids=str)
async def test_an_answer_of_another_form(type_, found, at):
    async with answering(serving(found)) as server:
        with pytest.raises(ScalerError):
            await read(at(server.port, type_))


@TYPES
async def test_refusals_show_no_secret(type_, at):
    async with answering(lambda asked: web.Response(status=401, text=SECRET)) as server:
        with pytest.raises(ScalerError, match="Azure gave no token: status 401") as failure:
            await read(at(server.port, type_))
    assert SECRET not in str(failure.value)
    with pytest.raises(ScalerError) as failure:
        await read(at(free_port(), type_))
    assert SECRET not in str(failure.value)


async def test_what_may_be_missing_is_zero(at):
    async with answering(serving({"value": {}})) as server:
        config = at(server.port, "azure-app-insights", ignoreNullValues="true")
        assert await read(config) == Reading(0, False)


@pytest.mark.parametrize(
    ("type_", "change", "words"),
    [
        ("azure-monitor", {"resourceURI": "a/b"}, "resourceURI not in the correct format"),
        (
            "azure-monitor",
            {"metricAggregationType": "Median"},
            "invalid metricAggregationType give",
        ),
        ("azure-monitor", {"metricAggregationInterval": "1:1"}, "Should be hh:mm:ss"),
        ("azure-monitor", {"cloud": "Moon"}, "invalid cloud environment Moon"),
        ("azure-app-insights", {"metricAggregationTimespan": "5"}, "Should be hh:mm"),
        ("azure-log-analytics", {"cloud": "Moon"}, "Scaled object: worker. Namespace: team. Inner"),
    ],
)
async def test_triggers_that_are_written_wrong(type_, change, words, at):
    with pytest.raises(ConfigError, match=words):
        await read(at(1, type_, **change))


@TYPES
async def test_who_asks(type_, at):
    missing = "clientSecret was not found" if "log" in type_ else "no activeDirectoryClientId given"
    with pytest.raises(ConfigError, match=missing):
        await read(dataclasses.replace(at(1, type_), auth={}))
    with pytest.raises(ConfigError, match="doesn't support pod identity gcp"):
        await read(dataclasses.replace(at(1, type_), pod_identity=PodIdentity("gcp")))
