"""azure-queue and azure-blob, against azurite: it refuses signatures that are wrong."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest

from hearth.keda.scalers.azure_storage import account_in
from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda import databases
from tests.component.keda.scaling import read, scaler, trigger
from tests.ports import free_port

NAME = "devstoreaccount1"
KEY = account_in("UseDevelopmentStorage=true", "blob").key
WRONG = base64.b64encode(b"wrong" * 12).decode()


@dataclass(frozen=True)
class Azurite:
    blobs: int
    queues: int

    def connection(self, key: str = "") -> str:
        return (
            f"AccountName={NAME};AccountKey={key or base64.b64encode(KEY).decode()};"
            f"BlobEndpoint=http://127.0.0.1:{self.blobs}/{NAME};"
            f"QueueEndpoint=http://127.0.0.1:{self.queues}/{NAME};"
        )

    def trigger(self, type_: str, **said: str) -> TriggerConfig:
        return dataclasses.replace(
            trigger(type_, **said), auth={"connection": self.connection()}, timeout=60
        )

    async def put(self, port: int, path: str, body: str = "", **query: str) -> None:
        """Write, with a signature of shared access (an account's, for everything)."""
        url = f"http://127.0.0.1:{port}/{NAME}/{path}?{urlencode(query)}"
        headers = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}
        method = "POST" if path.endswith("/messages") else "PUT"
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.request(
                method, f"{url}&{shared_access()}", headers=headers, content=body
            )
        assert answer.status_code == 201, answer.text


def shared_access() -> str:
    """A query that allows everything for an hour ("Create an account SAS")."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    parts = {"ss": "bq", "srt": "sco", "sp": "rwdlacup", "se": until, "spr": "https,http"}
    version = "2021-12-02"
    text = "\n".join(
        [NAME, parts["sp"], parts["ss"], parts["srt"], "", until, "", parts["spr"], version, "", ""]
    )
    signed = base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()
    return urlencode({"sv": version, **parts, "sig": signed})


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with databases.azurite(tmp_path_factory.mktemp("azurite")) as (blobs, queues):
        yield Azurite(blobs, queues)


MESSAGE = "<QueueMessage><MessageText>x</MessageText></QueueMessage>"


async def test_messages_of_a_queue(azurite):
    await azurite.put(azurite.queues, "orders")
    config = azurite.trigger("azure-queue", queueName="orders", activationQueueLength="2")
    async with scaler(config) as made:
        assert (made.spec.name, made.spec.target) == ("s0-azure-queue-orders", 5)
        assert await made.read() == Reading(0, False)
        for _ in range(3):
            await azurite.put(azurite.queues, "orders/messages", MESSAGE)
        assert await made.read() == Reading(3, True)


async def test_visible_messages_only(azurite):
    await azurite.put(azurite.queues, "seen")
    await azurite.put(azurite.queues, "seen/messages", MESSAGE)
    await azurite.put(azurite.queues, "seen/messages", MESSAGE, visibilitytimeout="600")
    said = {"queueName": "seen", "queueLengthStrategy": "visibleonly"}
    assert (await read(azurite.trigger("azure-queue", **said))).value == 1
    assert (await read(azurite.trigger("azure-queue", queueName="seen"))).value == 2
    for _ in range(32):
        await azurite.put(azurite.queues, "seen/messages", MESSAGE)
    assert (await read(azurite.trigger("azure-queue", **said))).value == 34


async def test_blobs_of_a_container(azurite):
    await azurite.put(azurite.blobs, "files", restype="container")
    for name in ("a.csv", "in/b.csv", "in/c.json", "in/deep/d.csv", "out/e f+g.csv"):
        await azurite.put(azurite.blobs, f"files/{name}".replace(" ", "%20"), "x")
    for said, count in (
        ({}, 1),
        ({"recursive": "true"}, 5),
        ({"blobPrefix": "in"}, 2),
        ({"blobPrefix": "in", "recursive": "true"}, 3),
        ({"blobPrefix": "i", "recursive": "true"}, 3),
        ({"globPattern": "*.csv"}, 4),
        ({"globPattern": "/in/*.{csv,json}"}, 3),
        ({"globPattern": "out/e f+*"}, 1),
    ):
        config = azurite.trigger("azure-blob", blobContainerName="files", **said)
        assert (await read(config)).value == count, said


async def test_more_blobs_than_a_page_has(azurite, monkeypatch):
    from hearth.keda.scalers.azure_blob import Settings

    await azurite.put(azurite.blobs, "pages", restype="container")
    for number in range(5):
        await azurite.put(azurite.blobs, f"pages/{number}", "x")
    listing = Settings.listing
    monkeypatch.setattr(Settings, "listing", lambda own: {**listing(own), "maxresults": "2"})
    assert (await read(azurite.trigger("azure-blob", blobContainerName="pages"))).value == 5


@pytest.mark.parametrize(
    ("type_", "named"), [("azure-queue", "queueName"), ("azure-blob", "blobContainerName")]
)
async def test_refusals(azurite, type_, named):
    with pytest.raises(ScalerError, match="answered with status 404"):
        await read(azurite.trigger(type_, **{named: "nothing-here"}))
    wrong = {"connection": azurite.connection(WRONG)}
    with pytest.raises(ScalerError, match="answered with status 403") as failure:
        await read(dataclasses.replace(azurite.trigger(type_, **{named: "files"}), auth=wrong))
    assert WRONG not in str(failure.value)


async def test_shared_access(azurite):
    await azurite.put(azurite.queues, "shared")
    connection = (
        f"QueueEndpoint=http://127.0.0.1:{azurite.queues}/{NAME};"
        f"SharedAccessSignature={shared_access()}"
    )
    config = azurite.trigger("azure-queue", queueName="shared")
    assert await read(dataclasses.replace(config, auth={"connection": connection})) == Reading(
        0, False
    )


async def test_a_service_that_is_away():
    away = Azurite(free_port(), free_port())
    with pytest.raises(ScalerError, match="error getting queue length: 127") as failure:
        await read(away.trigger("azure-queue", queueName="orders"))
    assert base64.b64encode(KEY).decode() not in str(failure.value)
