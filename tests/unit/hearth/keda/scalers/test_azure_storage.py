"""Connection strings, addresses and signatures of Azure Storage."""

from __future__ import annotations

import base64

import pytest

from hearth.keda.scalers.azure_blob import names_in
from hearth.keda.scalers.azure_storage import Account, account_in, account_of, endpoint_suffix
from hearth.keda.scalers.seam import ConfigError, PodIdentity, TriggerConfig

KEY = base64.b64encode(b"hunter2").decode()


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (f"AccountName=me;AccountKey={KEY}", "https://me.queue.core.windows.net"),
        (
            f"DefaultEndpointsProtocol=http;AccountName=me;AccountKey={KEY};EndpointSuffix=a.b",
            "http://me.queue.a.b",
        ),
        (f"AccountName=me;AccountKey={KEY};QueueEndpoint=http://q:1/me/", "http://q:1/me"),
        ("QueueEndpoint=https://q;SharedAccessSignature=?sv=1&sig=a%3D", "https://q"),
        ("UseDevelopmentStorage=true", "http://127.0.0.1:10001/devstoreaccount1"),
    ],
)
def test_connection_strings(connection, url):
    assert account_in(connection, "queue").url == url


@pytest.mark.parametrize(
    "connection",
    ["hunter2", "AccountName=me", f"AccountKey={KEY}", "AccountName=me;AccountKey=hunter2!", ""],
)
def test_what_is_no_connection_string_is_not_shown(connection):
    with pytest.raises(ConfigError, match="Missing key or name") as fault:
        account_in(connection, "blob")
    assert "hunter2" not in str(fault.value)


def test_an_account_shows_no_key():
    shown = repr(account_in(f"AccountName=me;AccountKey={KEY}", "blob"))
    assert "hunter2" not in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("metadata", "suffix"),
    [
        ({}, "blob.core.windows.net"),
        ({"cloud": "AzureUSGovernmentCloud"}, "blob.core.usgovcloudapi.net"),
        ({"cloud": "Private", "endpointSuffix": "blob.local"}, "blob.local"),
    ],
)
def test_clouds(metadata, suffix):
    assert endpoint_suffix(metadata, "blob") == suffix


def test_a_workload_identity_needs_no_key():
    config = TriggerConfig("azure-blob", {}, pod_identity=PodIdentity("azure-workload"))
    found = account_of(config, "", "me", "blob")
    assert (found.url, found.key) == ("https://me.blob.core.windows.net", b"")
    assert found.identity is not None


def test_a_signature_covers_headers_and_query_in_order():
    account = Account("https://me.queue", "me", b"key")
    headers = {"x-ms-version": "v", "x-ms-date": "d"}
    one = account.signed("https://me.queue/q?b=2&a=1%2B", headers)
    assert one == account.signed("https://me.queue/q?a=1%2B&b=2", dict(reversed(headers.items())))
    assert one != account.signed("https://me.queue/q?a=1&b=2", headers)


async def test_the_date_is_that_of_the_request():
    headers = await Account("https://me.queue", "me", b"key").headers("https://me.queue/q", 0.0)
    assert headers["x-ms-date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert headers["Authorization"].startswith("SharedKey me:")


def test_names_of_a_page_and_the_next():
    page = (
        b'<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>a/b</Name></Blob>'
        b"<BlobPrefix><Name>c/</Name></BlobPrefix></Blobs><NextMarker>m</NextMarker>"
        b"</EnumerationResults>"
    )
    assert names_in(page) == (["a/b"], "m")
