"""A built-in kind is one declaration: this file adds one and touches no other."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.cluster.kinds.base import Rules, child, define
from hearth.cluster.kinds.catalog import KINDS
from hearth.cluster.model.fielderrors import FieldError, invalid
from hearth.cluster.model.kind import Column, Table
from hearth.cluster.model.typetable import Package

Object = dict[str, Any]

TYPES = Package(
    "kitchen.example.com/v1",
    """
package kitchen.example.com/v1 com.example.kitchen.v1

Kettle
  inline meta/v1.TypeMeta
  metadata meta/v1.ObjectMeta
  spec KettleSpec

KettleSpec
  litres int32 required
  tags []string set
  maxTemperature Quantity
""",
)


def _default(obj: Object) -> None:
    child(obj, "spec").setdefault("litres", 1)


def _errors(obj: Object) -> Iterator[FieldError]:
    litres = obj["spec"]["litres"]
    if litres > 5:
        yield invalid("spec.litres", litres, "must be less than or equal to 5")


KETTLE = define(
    TYPES,
    "Kettle",
    "kettles",
    rules=Rules(default=_default, validate=_errors, generation=True),
    short=["kt"],
    table=Table(
        (Column("Name"), Column("Litres", "integer")),
        lambda obj, now: [obj["metadata"]["name"], obj["spec"]["litres"]],
    ),
)
PATH = "/apis/kitchen.example.com/v1/namespaces/default/kettles"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path, kinds=[*KINDS, KETTLE]) as running:
        yield running


@pytest.fixture
async def session(server: RunningServer) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=server.ca_cert)
    async with aiohttp.ClientSession(
        server.url,
        headers={"Authorization": f"Bearer {server.token}"},
        connector=aiohttp.TCPConnector(ssl=context),
    ) as opened:
        yield opened


def a_kettle(**spec: Any) -> Object:
    return {
        "apiVersion": "kitchen.example.com/v1",
        "kind": "Kettle",
        "metadata": {"name": "k"},
        "spec": spec,
    }


async def test_the_kind_is_found(session: aiohttp.ClientSession) -> None:
    async with session.get("/apis/kitchen.example.com/v1") as answer:
        resources = (await answer.json())["resources"]
    assert [(r["name"], r["shortNames"]) for r in resources] == [("kettles", ["kt"])]
    async with session.get("/openapi/v3/apis/kitchen.example.com/v1") as answer:
        schemas = (await answer.json())["components"]["schemas"]
    assert schemas["com.example.kitchen.v1.KettleSpec"]["required"] == ["litres"]


async def test_rules_and_canonical_form_apply(session: aiohttp.ClientSession) -> None:
    async with session.post(PATH, json=a_kettle(maxTemperature="0.1")) as answer:
        assert answer.status == 201, await answer.text()
        obj = await answer.json()
    assert obj["spec"] == {"litres": 1, "maxTemperature": "100m"}
    assert obj["metadata"]["generation"] == 1
    async with session.put(f"{PATH}/k", json=a_kettle(litres=6)) as answer:
        assert answer.status == 422
        message = (await answer.json())["message"]
    assert message.endswith("spec.litres: Invalid value: 6: must be less than or equal to 5")


async def test_it_is_applied_listed_and_watched(session: aiohttp.ClientSession) -> None:
    for manager, tag in (("one", "black"), ("two", "loud")):
        async with session.patch(
            f"{PATH}/k?fieldManager={manager}",
            data=yaml.safe_dump(a_kettle(tags=[tag])),
            headers={"Content-Type": "application/apply-patch+yaml"},
        ) as answer:
            assert answer.status in (200, 201), await answer.text()
            obj = await answer.json()
    assert obj["spec"]["tags"] == ["black", "loud"]
    as_table = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    async with session.get(PATH, headers=as_table) as answer:
        assert [row["cells"] for row in (await answer.json())["rows"]] == [["k", 1]]
    async with session.get(f"{PATH}?watch=1") as answer:
        assert (await answer.content.readline()).startswith(b'{"type":"ADDED"')
