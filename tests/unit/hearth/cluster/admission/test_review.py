import base64
import json
from typing import Any

import pytest

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.admission.review import (
    BadAnswer,
    denial,
    make_review,
    read_answer,
    review_version,
)
from hearth.cluster.model.kind import Kind, Table
from hearth.cluster.model.user import User

KIND = Kind("apps", "v1", "Thing", "things", "thing", True, {}, Table((), lambda o, n: ()))
OLDER = Kind("apps", "v1beta1", "Thing", "things", "thing", True, {}, Table((), lambda o, n: ()))


def an_attempt(**changes: Any) -> Attempt:
    given: dict[str, Any] = {
        "operation": "CREATE",
        "kind": KIND,
        "namespace": "ns",
        "name": "x",
        "subresource": "",
        "obj": {"apiVersion": "apps/v1", "kind": "Thing", "metadata": {"name": "x"}},
        "old": None,
        "user": User("someone", groups=("g",)),
        "dry_run": False,
        "options": {"kind": "CreateOptions"},
        **changes,
    }
    return Attempt(**given)


def an_answer(review: dict[str, Any] | None = None, **response: Any) -> bytes:
    said = {"uid": "u", "allowed": True, **response}
    head = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return json.dumps({**head, "response": said, **(review or {})}).encode()


def patch_of(*operations: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(list(operations)).encode()).decode()


def read(body: bytes, *, mutating: bool = True) -> Any:
    return read_answer(body, uid="u", version="v1", webhook="w", mutating=mutating)


def test_a_review_tells_the_whole_request() -> None:
    review = json.loads(make_review(an_attempt(), KIND, uid="u", version="v1"))
    assert review["apiVersion"] == "admission.k8s.io/v1"
    request = review["request"]
    assert request["uid"] == "u"
    assert request["kind"] == {"group": "apps", "version": "v1", "kind": "Thing"}
    assert request["resource"] == {"group": "apps", "version": "v1", "resource": "things"}
    assert request["userInfo"] == {"username": "someone", "groups": ["g"]}
    assert (request["namespace"], request["name"]) == ("ns", "x")
    assert request["oldObject"] is None
    assert request["dryRun"] is False


def test_a_webhook_of_another_version_sees_the_object_in_it() -> None:
    request = json.loads(make_review(an_attempt(), OLDER, uid="u", version="v1"))["request"]
    assert request["object"]["apiVersion"] == "apps/v1beta1"
    assert request["kind"]["version"] == "v1beta1"
    assert request["requestKind"]["version"] == "v1"


def test_the_first_known_review_version_is_spoken() -> None:
    assert review_version(("v2", "v1beta1", "v1")) == "v1beta1"
    with pytest.raises(BadAnswer):
        review_version(("v2",))


def test_a_patch_is_decoded() -> None:
    patch = patch_of({"op": "add", "path": "/a", "value": 1})
    answer = read(an_answer(patch=patch, patchType="JSONPatch", warnings=["careful"]))
    assert answer.patch == [{"op": "add", "path": "/a", "value": 1}]
    assert answer.warnings == ("careful",)
    assert answer.denied is None


@pytest.mark.parametrize(
    ("body", "mutating", "complaint"),
    [
        pytest.param(b"<html>", True, "invalid character '<'", id="no JSON"),
        pytest.param(b"{}", True, "webhook response was absent", id="no response"),
        pytest.param(an_answer(uid="other"), True, 'expected response.uid="u", got', id="uid"),
        pytest.param(an_answer({"kind": "X"}), True, "expected webhook response of", id="kind"),
        pytest.param(
            an_answer(patch="W10="), True, "response.patch but not response.patchType", id="type"
        ),
        pytest.param(
            an_answer(patchType="JSONPatch"), True, "patchType but not response.patch", id="patch"
        ),
        pytest.param(
            an_answer(patch="W10=", patchType="Merge"), True, "unsupported patch type", id="merge"
        ),
        pytest.param(
            an_answer(patch="%%", patchType="JSONPatch"), True, "undecodable patch", id="base64"
        ),
        pytest.param(an_answer(patch="W10="), False, "may not return response.patch", id="judge"),
    ],
)
def test_answers_that_break_the_rules(body: bytes, mutating: bool, complaint: str) -> None:
    with pytest.raises(BadAnswer, match=complaint):
        read(body, mutating=mutating)


@pytest.mark.parametrize(
    ("given", "code", "reason", "message"),
    [
        pytest.param(None, 400, "", 'webhook "w" denied the request without explanation', id="-"),
        pytest.param({"message": "no"}, 400, "", 'webhook "w" denied the request: no', id="text"),
        pytest.param(
            {"reason": "Forbidden"}, 400, "Forbidden", "denied the request: Forbidden", id="reason"
        ),
        pytest.param(
            {"message": "no", "code": 403, "reason": "Forbidden"}, 403, "Forbidden",
            'admission webhook "w" denied the request: no', id="all",
        ),
        pytest.param({"message": "no", "code": 200}, 400, "", "denied", id="no success code"),
    ],
)  # fmt: skip
def test_denials(given: Any, code: int, reason: str, message: str) -> None:
    refusal = denial("w", given)
    assert (refusal.code, refusal.reason) == (code, reason)
    assert message in refusal.message


def test_a_denied_answer_carries_no_patch() -> None:
    answer = read(an_answer(allowed=False, status={"message": "no", "code": 403}))
    assert answer.denied.code == 403
    assert answer.patch is None
