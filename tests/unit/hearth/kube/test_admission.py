"""AdmissionReview in and out."""

import base64
import json
from typing import Any

import pytest
from starlette.requests import Request

from hearth.kube import admission
from hearth.kube.admission import AdmissionRequest, AdmissionResponse, Mounted

ASKED = AdmissionRequest(
    uid="u",
    group="g.example.com",
    version="v1",
    kind="Widget",
    resource="widgets",
    operation="UPDATE",
    name="w",
    namespace="n",
    username="me",
    groups=("us",),
    dry_run=True,
    object={"spec": {"a": 1}},
    old_object={"spec": {"a": 0}},
)


def body(request: AdmissionRequest = ASKED) -> bytes:
    return json.dumps(admission.review_object(request)).encode()


def test_a_request_reads_back() -> None:
    assert admission.decode(body()) == ASKED


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"request": {}}', b'{"request": 5}'])
def test_other_bodies_are_refused(text: bytes) -> None:
    with pytest.raises(admission.BadReview, match="could not decode body"):
        admission.decode(text)


def response(answer: AdmissionResponse) -> Any:
    review = json.loads(admission.encode(ASKED, answer))
    assert review["kind"] == "AdmissionReview"
    return review["response"]


def test_allowed() -> None:
    assert response(admission.ALLOWED) == {"uid": "u", "allowed": True}


def test_changes_go_as_a_json_patch() -> None:
    found = response(AdmissionResponse(changed={"spec": {"a": 2}}))
    assert found["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(found["patch"])) == [
        {"op": "replace", "path": "/spec/a", "value": 2}
    ]


def test_no_change_is_no_patch() -> None:
    assert "patch" not in response(AdmissionResponse(changed={"spec": {"a": 1}}))


def deny(message: str, *warnings: str) -> AdmissionResponse:
    return AdmissionResponse(
        allowed=False, message=message, code=400, reason="BadRequest", warnings=warnings
    )


def test_a_refusal_carries_message_and_warnings() -> None:
    found = response(deny("no", "careful"))
    assert found["allowed"] is False
    assert found["status"]["message"] == "no"
    assert found["status"]["code"] == 400
    assert found["status"]["reason"] == "BadRequest"
    assert found["warnings"] == ["careful"]


async def call(handler: admission.Handler, text: bytes) -> tuple[int, Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": text, "more_body": False}

    found = await Mounted(handler)(Request({"type": "http", "method": "POST"}, receive))
    return found.status_code, bytes(found.body)


async def test_handlers_may_be_coroutines() -> None:
    async def handler(request: AdmissionRequest) -> AdmissionResponse:
        return deny(request.name)

    code, text = await call(handler, body())
    assert code == 200
    assert json.loads(text)["response"]["status"]["message"] == "w"


async def test_a_broken_handler_answers_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: AdmissionRequest) -> AdmissionResponse:
        raise KeyError("x")

    code, text = await call(handler, body())
    assert code == 200
    assert json.loads(text)["response"]["status"]["code"] == 500
    assert "admission handler failed" in caplog.text


async def test_nonsense_gets_400() -> None:
    code, _ = await call(lambda request: admission.ALLOWED, b"nonsense")
    assert code == 400
