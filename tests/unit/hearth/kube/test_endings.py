"""What of a plan goes to the server while a namespace is being deleted."""

from __future__ import annotations

from hearth.kube import resources
from hearth.kube.endings import BELIEVED_SECONDS, Endings
from hearth.kube.plan import Create, Delete, Event, Patch, Plan
from hearth.kube.testing import an_object

PARENT = an_object("parent")
CHILD = Create(resources.SECRETS, an_object("child"))
ELSEWHERE = Create(resources.SECRETS, {"metadata": {"name": "child", "namespace": "other"}})
WITHOUT_NAMESPACE = Create(resources.NAMESPACES, {"metadata": {"name": "new"}})
MADE = Event(PARENT, "Normal", "Created", "Created child")
MARK = Patch(resources.CONFIGMAPS, "parent", "ns", {})
GONE = Delete(resources.SECRETS, "ns", "child")


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def endings(*known: str) -> tuple[Endings, Time]:
    time = Time()
    made = Endings(time)
    for each in known:
        made.learn(each)
    return made, time


def test_without_a_refusal_plans_are_as_they_are() -> None:
    plan = Plan((CHILD, MADE), then=(ELSEWHERE,), retry=True)
    assert endings()[0].without_refusals(plan) is plan
    assert endings("other-than-these")[0].without_refusals(plan) is plan


def test_nothing_is_made_in_a_namespace_that_goes_and_the_rest_is_done() -> None:
    known, time = endings("ns")
    time.now += 10.0
    spared = known.without_refusals(Plan((CHILD, MADE, MARK, GONE, ELSEWHERE), then=(MARK,)))
    assert spared == Plan((MARK, GONE, ELSEWHERE), requeue_after=BELIEVED_SECONDS - 10.0)


def test_what_comes_before_a_refused_stage_is_done_with_its_events() -> None:
    known, _ = endings("ns")
    spared = known.without_refusals(Plan((MARK, MADE), then=(CHILD,), requeue_after=5.0))
    assert spared == Plan((MARK, MADE), requeue_after=5.0)


def test_plans_that_make_nothing_there_are_as_they_are() -> None:
    plan = Plan((MARK, GONE, ELSEWHERE, WITHOUT_NAMESPACE, MADE))
    assert endings("ns")[0].without_refusals(plan) is plan


def test_a_refusal_is_believed_for_a_while() -> None:
    known, time = endings("ns")
    time.now += BELIEVED_SECONDS
    plan = Plan((CHILD,))
    assert known.without_refusals(plan) is plan
    assert known.without_refusals(plan) is plan


def test_something_new_shows_that_it_is_another_namespace() -> None:
    known, _ = endings("ns", "other")
    known.appeared("ns")
    assert known.without_refusals(Plan((CHILD, ELSEWHERE))).actions == (CHILD,)
