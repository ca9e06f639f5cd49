from __future__ import annotations

from collections.abc import Mapping

import pytest

from hearth.kube.meta import Key, Object, name
from hearth.kube.plan import Plan
from hearth.kube.testing import FakeLister, an_object
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.podautoscaler.kind import can_wait, controller

KEY = ("ns", "rev")


class Autoscaler:
    """Asks for five pods, knows a busy one, and leaves nobody alone for more than a second."""

    def desired(self, key: Key) -> int:
        return 5

    def busy(self, key: Key) -> Mapping[str, int]:
        return {"p": 3}

    def excess_burst_capacity(self, key: Key) -> int:
        return -1

    def quiet_seconds(self, key: Key) -> float:
        return 1.0


SPEC = controller(Autoscaler())


def a_podautoscaler(scaler_class: str) -> Object:
    obj = an_object("rev", spec={"scaleTargetRef": {"name": "rev-deployment"}})
    obj["metadata"]["annotations"] = {keys.CLASS.key: scaler_class}
    return obj


def a_lister(scaler_class: str = keys.KPA_CLASS) -> FakeLister:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return FakeLister(
        {
            sources.PODAUTOSCALERS: [a_podautoscaler(scaler_class)],
            sources.DEPLOYMENTS: [an_object("rev-deployment"), an_object("another")],
            sources.K8S_SERVICES: [an_object("rev"), an_object("rev-private")],
            sources.PODS: [an_object("p", labels={keys.REVISION: "rev"}, status=ready)],
        }
    )


def test_target_services_pods_and_the_decision_are_observed() -> None:
    observed = SPEC.observe(a_lister(), KEY)
    assert observed is not None
    assert observed.deployment == an_object("rev-deployment")
    assert observed.public == an_object("rev") and observed.private == an_object("rev-private")
    assert (observed.ready_pods, observed.desired, observed.hpa) == (1, 5, None)
    assert ([name(pod) for pod in observed.pods], observed.busy) == (["p"], {"p": 3})


def test_one_that_is_gone_is_nothing_to_do() -> None:
    assert SPEC.observe(FakeLister({}), KEY) is None


def test_a_class_of_somebody_elses_is_left_alone() -> None:
    observed = SPEC.observe(a_lister("keda.example.dev"), KEY)
    assert observed is not None
    assert SPEC.reconcile(observed, settings=Settings(), now=0.0) == Plan()


@pytest.mark.parametrize("source", [sources.DEPLOYMENTS, sources.PODS])
def test_what_a_wake_up_changes_waits_for_it(source: object) -> None:
    (watch,) = (watch for watch in SPEC.watches if watch.source == source)
    assert watch.hold is not None and watch.hold(KEY) == 1.0


@pytest.mark.parametrize(("actual", "waits"), [(1, True), (0, False)])
def test_that_it_sleeps_is_told_together_with_the_end_of_its_pods(actual: int, waits: bool) -> None:
    def told(status: str, scale: int) -> Object:
        conditions = [{"type": kind, "status": status} for kind in (keys.ACTIVE, keys.READY)]
        return an_object("rev", status={"actualScale": scale, "conditions": conditions})

    assert can_wait(told("True", 1), told("False", actual)) is waits
