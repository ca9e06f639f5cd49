"""What is sent, how often, and what is said of it; the wire is httpx's own stand-in."""

import datetime
import email.utils

import httpx
import pytest

from eventing.codec import Event
from eventing.runtime.policy import Backoff, DeliveryPolicy
from eventing.sources import sender
from eventing.sources.sender import SOURCE_POLICY, Sender, Sent
from hearth.kube.certificates import renewed

EVENT = Event({"specversion": "1.0", "id": "a b", "source": "/s", "type": "t"}, b"{}")
NOW = 1_700_000_000.0


class Wire:
    """Answers in turn, the last one for ever; keeps what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.waits = []

    async def answer(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds):
        self.waits.append(seconds)

    def sender(self, policy=SOURCE_POLICY, **more):
        transport = httpx.MockTransport(self.answer)
        return Sender(
            policy,
            transport=transport,
            sleep=self.sleep,
            roll=lambda: 0.0,
            wall=lambda: NOW,
            **more,
        )


async def test_an_event_is_posted_in_binary_mode():
    wire = Wire(httpx.Response(202))
    async with wire.sender() as sender:
        sent = await sender.send("http://sink.example:81/a?b=c", EVENT)
    assert (sent.accepted, sent.attempts, str(sent)) == (True, 1, "202 Accepted")
    [request] = wire.requests
    assert (request.method, str(request.url)) == ("POST", "http://sink.example:81/a?b=c")
    assert request.headers["host"] == "sink.example:81"
    assert request.headers["ce-id"] == "a%20b"
    assert request.content == b"{}"


async def test_structured_mode_is_asked_for_by_the_call_or_the_policy():
    wire = Wire(httpx.Response(202))
    async with wire.sender() as sender:
        await sender.send("http://h/", EVENT, structured=True)
    async with wire.sender(DeliveryPolicy(structured=True)) as sender:
        await sender.send("http://h/", EVENT)
    kinds = [request.headers["content-type"] for request in wire.requests]
    assert kinds == ["application/cloudevents+json; charset=utf-8"] * 2
    assert b'"id":"a b"' in wire.requests[0].content


async def test_hosts_that_are_elsewhere_keep_their_name():
    wire = Wire(httpx.Response(202))
    async with wire.sender(gateway=("127.0.0.1", 8081)) as sender:
        await sender.send("http://s.ns.svc.cluster.local/p", EVENT)
        await sender.send("http://any.localhost:82/", EVENT)
    assert [(str(r.url), r.headers["host"]) for r in wire.requests] == [
        ("http://127.0.0.1:8081/p", "s.ns.svc.cluster.local"),
        ("http://127.0.0.1:82/", "any.localhost:82"),
    ]


async def test_the_certificate_is_for_the_name_of_the_url():
    wire = Wire(httpx.Response(202))
    async with wire.sender() as sender:
        await sender.send("https://any.localhost/", EVENT)
    [request] = wire.requests
    assert str(request.url) == "https://127.0.0.1/"
    assert request.extensions["sni_hostname"] == "any.localhost"


async def test_what_may_go_better_is_tried_again_as_sources_do():
    wire = Wire(httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(202))
    async with wire.sender() as sender:
        sent = await sender.send("http://h/", EVENT)
    assert (sent.status, sent.attempts) == (202, 3)
    assert len(wire.waits) == 2 and wire.waits[0] > 0 and wire.waits[1] >= wire.waits[0]


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [(httpx.Response(500), 6), (httpx.Response(400), 1), (httpx.Response(302), 1)],
)
async def test_it_ends_when_retries_do_or_when_there_is_no_point(answer, attempts):
    wire = Wire(answer)
    async with wire.sender() as sender:
        sent = await sender.send("http://h/", EVENT)
    assert (sent.status, sent.attempts, sent.accepted) == (answer.status_code, attempts, False)


async def test_no_answer_tells_why():
    wire = Wire(httpx.ConnectError("refused"))
    async with wire.sender(DeliveryPolicy()) as sender:
        sent = await sender.send("http://h/", EVENT)
    assert (sent.status, sent.error, str(sent)) == (0, "refused", "refused")


async def test_a_receiver_that_says_when_is_obeyed():
    soon = datetime.datetime.fromtimestamp(NOW + 7, tz=datetime.UTC)
    wire = Wire(
        httpx.Response(429, headers={"Retry-After": "3"}),
        httpx.Response(503, headers={"Retry-After": email.utils.format_datetime(soon)}),
        httpx.Response(200),
    )
    policy = DeliveryPolicy(retries=2, backoff=Backoff.LINEAR, delay_seconds=0.01)
    async with wire.sender(policy) as sender:
        await sender.send("http://h/", EVENT)
    assert wire.waits == [3.0, 7.0]


async def test_only_the_beginning_of_an_answer_is_read():
    wire = Wire(httpx.Response(400, content=b"x" * 200_000))
    async with wire.sender() as sender:
        sent = await sender.send("http://h/", EVENT)
    assert sent.text == "x" * 65536


async def test_what_cannot_be_sent_to_is_refused():
    async with Wire(httpx.Response(202)).sender() as sender:
        with pytest.raises(ValueError, match="not an absolute"):
            await sender.send("sink", EVENT)
    with pytest.raises(ValueError, match="no certificates"):
        Sender(ca_certs="nothing")


def test_several_attempts_are_told():
    assert str(Sent(500, "Oops", "why", attempts=2)) == "500 Oops why (after 2 attempts)"


def test_mounted_trust_bundles_are_trusted(tmp_path, monkeypatch):
    files = renewed({}, ["localhost"], datetime.datetime.now(datetime.UTC))
    assert files is not None
    monkeypatch.setattr(sender, "FOLDER", str(tmp_path))
    before = sender._context(None).cert_store_stats()["x509_ca"]
    (tmp_path / "ours.pem").write_bytes(files["ca-cert.pem"])
    (tmp_path / "broken.pem").write_text("no certificate")
    assert sender._context(None).cert_store_stats()["x509_ca"] == before + 1
