from __future__ import annotations

from typing import Any

from eventing.kinds.asyncservice import CONTROLLER, Observed, reconcile
from eventing.kinds.settings import ControlSettings
from hearth.kube.plan import Create, Delete, Plan, Update
from serving.api import keys

SETTINGS = ControlSettings("http://broker", frozenset())
KEY = ("ns", "hello")


def an_ingress(text: str) -> dict[str, Any]:
    metadata = {"name": "hello", "namespace": "ns", "uid": "u", "annotations": {keys.ASYNC: text}}
    return {"apiVersion": "n/v1", "kind": "Ingress", "metadata": metadata}


def planned(text: str | None, flow: Any = None) -> Plan:
    ingress = None if text is None else an_ingress(text)
    return reconcile(Observed(KEY, ingress, flow), settings=SETTINGS, now=0.0)


def made(text: str) -> Any:
    [action] = planned(text).actions
    assert isinstance(action, Create)
    return action.obj


def test_requests_go_by_a_sequence_to_the_broker_itself() -> None:
    flow = made("{retries: 5, backoff: 500ms}")
    assert flow["metadata"]["name"] == "hello-async"
    [step] = flow["spec"]["steps"]
    assert step["uri"] == "http://broker/async/ns/hello/run"
    assert step["delivery"] == {
        "retry": 5,
        "backoffPolicy": "exponential",
        "backoffDelay": "PT0.5S",
        "deadLetterSink": {"uri": "http://broker/async/ns/hello/failed"},
    }
    assert "reply" not in flow["spec"]


def test_a_callback_gets_replies_and_failures() -> None:
    flow = made("{callback: 'http://sink/?a=b'}")
    assert flow["spec"]["reply"] == {"uri": "http://sink/?a=b"}
    step = flow["spec"]["steps"][0]
    assert step["uri"].endswith("/run?callback")
    assert step["delivery"]["deadLetterSink"]["uri"].endswith(
        "/failed?callback=http%3A%2F%2Fsink%2F%3Fa%3Db"
    )


def test_its_own_result_asks_for_nothing() -> None:
    for text in ("true", "{callback: 'http://sink/'}"):
        assert planned(text, made(text)) == Plan()


def test_another_wish_changes_it_and_a_callback_goes() -> None:
    [action] = planned("{retries: 1}", made("{callback: 'http://sink/'}")).actions
    assert isinstance(action, Update)
    assert "reply" not in action.obj["spec"]
    assert action.obj["spec"]["steps"][0]["delivery"]["retry"] == 1


def test_it_goes_when_it_is_no_longer_asked_for_and_nothing_else_does() -> None:
    for text in (None, "false"):
        [action] = planned(text, made("true")).actions
        assert isinstance(action, Delete)
    strange = {"metadata": {"name": "hello-async", "namespace": "ns"}, "spec": {"steps": []}}
    assert planned(None, strange) == planned("true", strange) == planned(None) == Plan()


def test_a_sequence_leads_to_its_service() -> None:
    [watch] = CONTROLLER.watches
    assert list(watch.keys(None, made("true"))) == [KEY]  # type: ignore[arg-type]
    assert list(watch.keys(None, an_ingress("true"))) == []  # type: ignore[arg-type]
