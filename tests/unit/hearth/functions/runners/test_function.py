from __future__ import annotations

from typing import Any

import pytest

from hearth.functions.runners.function import Request, encode_result, in_style, parse_event

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (None, (204, "", b"")),
        ("hi", (200, "text/plain; charset=utf-8", b"hi")),
        (b"hi", (200, "application/octet-stream", b"hi")),
        ({"a": 1}, (200, "application/json", b'{"a": 1}')),
        (("no", 404), (404, "text/plain; charset=utf-8", b"no")),
        ((None, 202), (202, "", b"")),
    ],
)
def test_results(result: Any, expected: tuple[int, str, bytes]) -> None:
    assert encode_result(result) == expected


def test_a_returned_event_is_structured() -> None:
    assert encode_result(EVENT)[1] == "application/cloudevents+json"


def test_a_binary_event() -> None:
    headers = {f"ce-{name}": value for name, value in EVENT.items()}
    headers |= {"ce-subject": "a%20b", "content-type": "application/json"}
    assert parse_event(headers, b'{"x": 1}') == EVENT | {"subject": "a b", "data": {"x": 1}}


def test_a_structured_event_and_none() -> None:
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    assert parse_event(headers, b'{"id": "1"}') == {"id": "1"}
    assert parse_event({}, b"plain") is None


def request(body: bytes = b"hi", event: dict[str, Any] | None = None, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/a", "b=1", named, body, event)


def test_openfaas() -> None:
    def handle(event: Any, context: Any) -> Any:
        assert context.hostname
        said = [event.method, event.path, event.query["b"], event.body.decode()]
        return {"statusCode": 201, "body": said}

    assert in_style("openfaas", "handle", handle)(request()) == (["POST", "/a", "1", "hi"], 201)
    assert in_style("openfaas", "handle", lambda event, context: "x")(request()) == "x"


def test_a_function_of_text() -> None:
    assert in_style("text", "handle", str.upper)(request()) == "HI"


def test_kubeless() -> None:
    def hello(event: dict[str, Any], context: dict[str, Any]) -> Any:
        return [event["data"], event["event-type"], context["function-name"]]

    call, media_type = in_style("kubeless", "hello", hello), "application/json"
    assert call(request(b"[1]", content_type=media_type)) == [[1], media_type, "hello"]
    assert call(request(event={**EVENT, "data": {"x": 1}})) == [{"x": 1}, "t", "hello"]


def test_fission_without_flask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert in_style("fission", "main", lambda: "x")(request()) == "x"
