"""samples/webhooks on one machine: deliveries of GitHub at the URL that a WebhookSource tells."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from eventing.sources.webhook.signing import headers_of
from hearth.kube.clock import wall_clock
from tests.e2e.support import SAMPLES, Hearth, wait_until

BODY = b'{"ref": "refs/heads/main", "repository": {"html_url": "https://github.com/o/r"}}'
SECRET = b"change-me"


def deliver(hearth: Hearth, told: str, secret: bytes = SECRET) -> int:
    url = urlsplit(hearth.get_json("webhooksource", "github")["status"]["url"])
    headers = headers_of("github", secret, "push", BODY, now=wall_clock(), told=told)
    here = f"http://127.0.0.1:{url.port}{url.path}"
    request = urllib.request.Request(here, BODY, {**headers, "Host": url.netloc})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_delivery_becomes_an_event_once(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "webhooks"))
    for each in ("webhooksource/github", "webhooksource/shop", "trigger/pushes", "ksvc/received"):
        hearth.kubectl("wait", "--for=condition=Ready", each, "--timeout=90s")
    assert "webhooksource" in hearth.kubectl("get", "sources").stdout
    assert deliver(hearth, "d-1") == 202
    assert deliver(hearth, "d-1", b"another") == 401

    def received() -> list[dict[str, str]]:
        entries = json.loads(hearth.request("received", "/received").body)
        return [entry["received"] for entry in entries]

    [event] = wait_until(received, what="the event")
    assert (event["type"], event["id"]) == ("dev.knative.source.github.push", "d-1")
    assert event["source"] == "https://github.com/o/r"
    # The receiver is killed: requests wait until it is back, and it knows what it took.
    os.kill(hearth.pids()["webhooks"], signal.SIGKILL)
    assert deliver(hearth, "d-1") == 202
    assert deliver(hearth, "d-2") == 409
    assert len(received()) == 1


def test_a_delivery_is_tried_without_its_sender(hearth: Hearth) -> None:
    tried = hearth.run("event", "hook", "github", "--event", "push", "--id", "d-3")
    assert tried.stdout == "202 Accepted: delivery d-3\n"

    def ids() -> set[str]:
        entries = json.loads(hearth.request("received", "/received").body)
        return {entry["received"]["id"] for entry in entries}

    wait_until(lambda: ids() == {"d-1", "d-3"}, what="the event")
    told = hearth.run("event", "hook", "shop", "-H", "X-Shop-Topic=made", check=False)
    assert told.returncode == 1
    assert "no id: the request has no {header:x-shop-id}" in told.stderr
    missing = hearth.run("event", "hook", "nothing", check=False).stderr
    assert "there is no WebhookSource nothing in default" in missing


def test_its_address_goes_with_the_last_one(hearth: Hearth) -> None:
    hearth.kubectl("delete", "-f", str(SAMPLES / "webhooks"))
    wait_until(lambda: not hearth.get_json("domainmappings", "-A")["items"], what="its end")
