from __future__ import annotations

from hearth.kube.meta import Object
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus
from hearth.kube.postponement import (
    AT_EASE,
    DELAY_SECONDS,
    MAX_DELAY_SECONDS,
    Postponement,
)
from hearth.kube.resources import PODS, REPLICASETS

KEY = ("ns", "rs")
STORED: Object = {"status": {}}
CREATE = Create(PODS, {"kind": "Pod"})
EVENT = Event({"kind": "ReplicaSet"}, "Normal", "Scaled", "to 1")
STATUS = UpdateStatus(REPLICASETS, {"status": {"replicas": 1}})


def always() -> Postponement:
    return Postponement(lambda stored, changed: True)


def test_a_status_that_can_wait_is_left_out_and_asked_for_again() -> None:
    now = always().split(KEY, STORED, Plan((CREATE, EVENT, STATUS)), now=0.0)
    assert now == Plan((CREATE, EVENT), requeue_after=DELAY_SECONDS)


def test_one_with_news_is_written_at_once() -> None:
    plan = Plan((STATUS,))
    assert Postponement(lambda stored, changed: False).split(KEY, STORED, plan, now=0.0) == plan


def test_what_waited_is_written_when_it_is_due() -> None:
    postponement, plan = always(), Plan((STATUS,), requeue_after=600)
    postponement.split(KEY, STORED, plan, now=0.0)
    assert postponement.split(KEY, STORED, plan, now=DELAY_SECONDS) == plan


def test_another_look_meanwhile_does_not_put_it_off_further() -> None:
    postponement, plan = always(), Plan((STATUS,))
    postponement.split(KEY, STORED, plan, now=0.0)
    again = postponement.split(KEY, STORED, plan, now=DELAY_SECONDS / 2)
    assert again == Plan(requeue_after=DELAY_SECONDS / 2)
    assert postponement.split(KEY, STORED, plan, now=DELAY_SECONDS) == plan


def test_each_controller_has_its_own_patience() -> None:
    patient = Postponement(lambda stored, changed: True, 10.0)
    assert patient.split(KEY, STORED, Plan((STATUS,)), now=0.0) == Plan(requeue_after=10.0)


def test_a_plan_that_asks_to_be_made_again_sooner_is() -> None:
    plan = Plan((STATUS,), requeue_after=0.01)
    assert always().split(KEY, STORED, plan, now=0.0).requeue_after == 0.01


def test_keys_do_not_share_their_time() -> None:
    postponement, plan = always(), Plan((STATUS,))
    postponement.split(KEY, STORED, plan, now=0.0)
    assert not postponement.split(("ns", "other"), STORED, plan, now=DELAY_SECONDS)


def test_an_object_that_is_gone_waits_for_nothing() -> None:
    plan = Plan((STATUS,))
    assert always().split(KEY, None, plan, now=0.0) == plan


def test_an_update_that_can_wait_does_and_others_do_not() -> None:
    later, now = (Update(PODS, {"kind": "Pod"}, can_wait=waits) for waits in (True, False))
    postponement = Postponement(None)
    assert postponement.split(KEY, STORED, Plan((later, now)), now=0.0).actions == (now,)
    assert postponement.split(KEY, STORED, Plan((later,)), now=1.0).actions == (later,)


def test_a_creation_that_can_wait_does_and_others_do_not() -> None:
    later, now = (Create(PODS, {"kind": "Pod"}, can_wait=waits) for waits in (True, False))
    postponement = Postponement(None)
    assert postponement.split(KEY, STORED, Plan((later, now)), now=0.0).actions == (now,)
    assert postponement.split(KEY, STORED, Plan((later,)), now=1.0).actions == (later,)


def test_many_that_wait_let_each_other_wait_longer_up_to_a_limit() -> None:
    postponement, plan = always(), Plan((STATUS,))

    def waits(number: int) -> float:
        again = postponement.split(("ns", str(number)), STORED, plan, now=0.0).requeue_after
        assert again is not None
        return again

    times = [waits(number) for number in range(1000)]
    assert times[:AT_EASE] == [DELAY_SECONDS] * AT_EASE
    assert times == sorted(times)
    assert times[-1] == MAX_DELAY_SECONDS
    for number in range(999):
        postponement.forget(("ns", str(number)))
    assert postponement.split(("ns", "999"), STORED, plan, now=DELAY_SECONDS) == plan
