"""A whole example kind, in this file alone, run by the manager against a client in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from hearth.kube import resources
from hearth.kube.controllerspec import (
    ControllerSpec,
    Index,
    Lister,
    Source,
    Watch,
    is_made_otherwise,
    label_key,
    owner_key,
    without_settings,
)
from hearth.kube.errors import error_for
from hearth.kube.leadership import Alone
from hearth.kube.manager import Manager
from hearth.kube.meta import Key, Object, key_text, labels, name, namespace
from hearth.kube.plan import Create, Event, Plan, Update, UpdateStatus
from hearth.kube.resources import EVENTS, Resource
from hearth.kube.testing import FakeClient, an_object
from hearth.observability.metrics import CAUGHT, RECONCILES
from tests.virtualtime import VirtualLoop
from tests.waiting import until

# -- the kind: a ConfigMap wants a Secret with as many letters as all Secrets of its label -------

PARENTS = Source(resources.CONFIGMAPS)
CHILDREN = Source(resources.SECRETS)
CHILDREN_BY_PARENT = Index(CHILDREN, lambda obj: [f"{namespace(obj)}/{labels(obj)['parent']}"])


@dataclass(frozen=True, slots=True)
class Observed:
    parent: Object
    children: tuple[Object, ...]


def observe(lister: Lister, key: Key) -> Observed | None:
    parent = lister.get(PARENTS, *key)
    if parent is None:
        return None
    if name(parent) == "poison":
        raise ZeroDivisionError("an error nobody foresaw")
    return Observed(parent, tuple(lister.by_index(CHILDREN_BY_PARENT, key_text(key))))


def reconcile(observed: Observed, *, settings: str, now: float) -> Plan:
    made = [child for child in observed.children if child["data"] == settings]
    if made:
        return Plan()
    title = f"{name(observed.parent)}-child"
    child = an_object(title, labels={"parent": name(observed.parent)}, data=settings)
    event = Event(observed.parent, "Normal", "Created", f"Created {title}")
    for known in observed.children:
        metadata = {**child["metadata"], "resourceVersion": known["metadata"]["resourceVersion"]}
        return Plan((Update(resources.SECRETS, {**child, "metadata": metadata}), event))
    return Plan((Create(resources.SECRETS, child), event))


def refused(observed: Observed, error: str, *, now: float) -> Plan | None:
    return Plan((Event(observed.parent, "Warning", "Refused", error),))


EXAMPLE: ControllerSpec[Observed, str] = ControllerSpec(
    "example",
    PARENTS,
    observe,
    reconcile,
    watches=(Watch(CHILDREN, label_key("parent")),),
    indexes=(CHILDREN_BY_PARENT,),
    refused=refused,
)


@dataclass
class Stage:
    client: FakeClient
    manager: Manager
    settings: str = "x"

    def child(self, parent: str) -> Object | None:
        return self.client.objects.get(resources.SECRETS, {}).get(("ns", f"{parent}-child"))

    def events(self) -> list[tuple[str, str]]:
        found = self.client.objects.get(EVENTS, {}).values()
        return [(event["reason"], event["involvedObject"]["name"]) for event in found]


@contextlib.asynccontextmanager
async def running(*titles: str) -> AsyncIterator[Stage]:
    client = FakeClient()
    for title in titles:
        client.put(resources.CONFIGMAPS, an_object(title))
    stage = Stage(client, Manager(client, name="tests"))
    stage.manager.add(EXAMPLE, lambda: stage.settings)
    synced = asyncio.Event()
    task = asyncio.create_task(stage.manager.run(synced.set))
    try:
        async with asyncio.timeout(60):
            await synced.wait()
        yield stage
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_kind_declared_in_one_file_is_reconciled_and_told_of() -> None:
    async with running("a") as stage:
        await until(lambda: stage.child("a"))
        await until(lambda: stage.events() == [("Created", "a")])
        assert stage.client.written[0] == ("create", "Secret", "a-child")


async def test_a_change_of_what_it_watches_brings_its_owner_back() -> None:
    async with running("a") as stage:
        await until(lambda: stage.child("a"))
        stage.client.remove(resources.SECRETS, "ns", "a-child")
        await until(lambda: stage.child("a"))


async def test_new_settings_have_everything_looked_at_anew() -> None:
    async with running("a", "b") as stage:
        await until(lambda: stage.child("a") and stage.child("b"))
        stage.settings = "y"
        stage.manager.resync()
        await until(lambda: (stage.child("a") or {})["data"] == "y")
        await until(lambda: (stage.child("b") or {})["data"] == "y")


async def test_it_looks_at_everything_again_after_a_while_without_being_told() -> None:
    client = FakeClient()
    looks: list[Key] = []

    async def look(key: Key) -> None:
        looks.append(key)

    client.put(resources.CONFIGMAPS, an_object("a"))
    manager = Manager(client, name="tests", resync_seconds=0.01)
    manager.add_controller("looker", look, source=PARENTS)
    task = asyncio.create_task(manager.run())
    await until(lambda: len(looks) > 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert set(looks) == {("ns", "a")}


class Following(Alone):
    """Leads nothing until it is told to."""

    def __init__(self) -> None:
        self.is_leading = False
        self.tell = lambda: None

    def leads(self, key: Key) -> bool:
        return self.is_leading

    def on_change(self, callback: Callable[[], None]) -> None:
        self.tell = callback


async def test_who_takes_over_looks_at_what_the_gone_have_left_behind() -> None:
    """Whoever led might have died before it tidied up after an object that is no more."""
    client, looks, leadership = FakeClient(), list[Key](), Following()
    client.put(resources.SECRETS, an_object("a-child", labels={"parent": "a"}))
    manager = Manager(client, name="tests", leadership=leadership)

    async def look(key: Key) -> None:
        looks.append(key)

    to_parent = label_key("parent")
    manager.add_controller("x", look, source=PARENTS, watches=(Watch(CHILDREN, to_parent),))
    task = asyncio.create_task(manager.run())
    await until(lambda: manager.list(CHILDREN) and not manager.backlog)
    assert looks == []
    leadership.is_leading = True
    leadership.tell()
    await until(lambda: looks)
    assert looks == [("ns", "a")]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# -- writes under way --------------------------------------------------------------------------


class Hesitant(FakeClient):
    """Answers updates when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        await self.may_answer.wait()
        return await super().update(resource, obj, subresource=subresource)


@pytest.mark.parametrize("is_foretold", [True, False])
async def test_reconcilers_go_by_a_status_that_is_foretold_before_it_is_stored(
    is_foretold: bool,
) -> None:
    client = Hesitant()
    client.put(resources.CONFIGMAPS, an_object("a", status="old"))
    manager = Manager(client, name="tests")
    manager.cache(PARENTS)
    task = asyncio.create_task(manager.run())
    await until(lambda: manager.list(PARENTS))
    [known] = manager.list(PARENTS)
    write = UpdateStatus(resources.CONFIGMAPS, {**known, "status": "new"}, is_foretold)
    writing = asyncio.create_task(manager.apply(Plan((write,))))
    await asyncio.sleep(0)
    shown = [obj["status"] for obj in manager.list(PARENTS)]
    client.may_answer.set()
    await writing
    assert shown == ["new" if is_foretold else "old"]
    assert [obj["status"] for obj in manager.list(PARENTS)] == ["new"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Refusing(FakeClient):
    """Takes no update."""

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        raise error_for({"code": 503, "message": "not now"})


def test_a_status_that_was_foretold_in_vain_is_tried_again_with_back_off() -> None:
    """What is shown and taken back must not bring its own writer back at once."""
    looks: list[float] = []

    def foretell(observed: Observed, *, settings: str, now: float) -> Plan:
        looks.append(loop.time())
        status = {**observed.parent, "status": "new"}
        return Plan((UpdateStatus(resources.CONFIGMAPS, status, is_foretold=True),))

    client, loop = Refusing(), VirtualLoop()
    loop.until = 10.0
    client.put(resources.CONFIGMAPS, an_object("a"))
    manager = Manager(client, name="tests")
    manager.add(replace(EXAMPLE, reconcile=foretell), lambda: "x")

    async def for_a_while() -> None:
        task = asyncio.create_task(manager.run())
        await asyncio.sleep(10.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop.run_until_complete(for_a_while())
    loop.close()
    pauses = [after - before for before, after in pairwise(looks)]
    assert pauses == pytest.approx([0.005 * 2**n for n in range(len(pauses))], abs=1e-6)
    assert len(pauses) == 10


# -- one object hurts itself only --------------------------------------------------------------


async def test_an_object_that_observing_fails_on_hurts_itself_only() -> None:
    before = RECONCILES.labels(controller="example", result="retry")._value.get()
    async with running("poison", "a") as stage:
        await until(lambda: stage.child("a"))
        retried = RECONCILES.labels(controller="example", result="retry")
        await until(lambda: retried._value.get() >= before + 2)


async def test_an_object_that_a_mapper_fails_on_hurts_itself_only() -> None:
    def fails(_lister: Lister, obj: Object) -> list[Key]:
        raise LookupError(name(obj))

    client, seen = FakeClient(), list[Key]()

    async def look(key: Key) -> None:
        seen.append(key)

    manager = Manager(client, name="tests")
    manager.add_controller("looker", look, source=PARENTS, watches=(Watch(CHILDREN, fails),))
    client.put(resources.SECRETS, an_object("bad"))
    task = asyncio.create_task(manager.run())
    client.put(resources.CONFIGMAPS, an_object("good"))
    await until(lambda: seen == [("ns", "good")])
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_background_task_that_fails_is_run_again_and_ends_nothing() -> None:
    runs: list[int] = []

    async def flaky() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise OSError("not yet")

    manager = Manager(FakeClient(), name="tests")
    manager.add_runnable("flaky", flaky)
    before = CAUGHT.labels(part="flaky")._value.get()
    task = asyncio.create_task(manager.run())
    await until(lambda: len(runs) == 3)
    assert CAUGHT.labels(part="flaky")._value.get() == before + 2
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_cache_that_is_asked_for_at_the_end_is_not_begun() -> None:
    manager, ready = Manager(FakeClient(), name="tests"), asyncio.Event()
    task = asyncio.create_task(manager.run(ready.set))
    await ready.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    cache = manager.cache(Source(resources.CONFIGMAPS))
    assert not cache.is_synced


# -- refused writes ----------------------------------------------------------------------------


def a_refusal(code: int, **details: object) -> dict[str, object]:
    return {"code": code, "message": "no", "reason": "", "details": details}


async def test_a_refused_write_means_what_the_kind_says() -> None:
    async with running() as stage:
        stage.client.refusals["a-child"] = a_refusal(422)
        stage.client.put(resources.CONFIGMAPS, an_object("a"))
        await until(lambda: stage.events() == [("Refused", "a")])


async def test_events_tell_only_of_what_was_done() -> None:
    async with running() as stage:
        stage.client.refusals["a-child"] = a_refusal(500)
        stage.client.put(resources.CONFIGMAPS, an_object("a"))
        stage.client.put(resources.CONFIGMAPS, an_object("b"))
        await until(lambda: stage.events())
        assert stage.events() == [("Created", "b")]


async def test_a_namespace_that_goes_takes_everything_with_it() -> None:
    async with running() as stage:
        cause = {"reason": "NamespaceTerminating"}
        stage.client.refusals["a-child"] = a_refusal(403, causes=[cause])
        done = RECONCILES.labels(controller="example", result="success")
        before = done._value.get()
        stage.client.put(resources.CONFIGMAPS, an_object("a"))
        await until(lambda: done._value.get() == before + 1)
        assert stage.events() == []
        # Others of the namespace are not tried, until something shows that it is a new one.
        del stage.client.refusals["a-child"]
        stage.client.put(resources.CONFIGMAPS, an_object("a", data="changed"))
        await until(lambda: done._value.get() == before + 2)
        assert stage.child("a") is None
        stage.client.put(resources.CONFIGMAPS, an_object("b"))
        await until(lambda: stage.child("b"))


# -- the parts ---------------------------------------------------------------------------------


async def test_equal_sources_share_a_cache_and_others_do_not() -> None:
    manager = Manager(FakeClient(), name="tests")
    assert manager.cache(Source(resources.PODS)) is manager.cache(Source(resources.PODS))
    selected = Source(resources.PODS, label_selector="app")
    assert manager.cache(selected) is not manager.cache(Source(resources.PODS))


async def test_a_cache_asked_for_while_running_starts_at_once() -> None:
    async with running() as stage:
        stage.client.put(resources.PODS, an_object("p"))
        cache = stage.manager.cache(Source(resources.PODS))
        async with asyncio.timeout(60):
            await cache.synced()
        assert stage.manager.get(Source(resources.PODS), "ns", "p") is not None


async def test_a_key_can_be_held_back() -> None:
    client, seen = FakeClient(), list[float]()
    loop = asyncio.get_running_loop()

    async def look(_key: Key) -> None:
        seen.append(loop.time())

    manager = Manager(client, name="tests")
    held = Watch(PARENTS, hold=lambda key: 0.05)
    manager.add_controller("looker", look, watches=(held,))
    client.put(resources.CONFIGMAPS, an_object("a"))
    started = loop.time()
    task = asyncio.create_task(manager.run())
    await until(lambda: seen)
    assert seen[0] - started >= 0.05
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@dataclass
class Telling:
    """A kind whose status tells how many children it made, and how often it was looked at."""

    looks: list[Object]

    def spec(self, *, settles: bool, is_own: bool) -> ControllerSpec[Object, str]:
        def look(lister: Lister, key: Key) -> Object | None:
            return lister.get(PARENTS, *key)

        def tell(parent: Object, *, settings: str, now: float) -> Plan:
            self.looks.append(parent)
            if parent.get("status") == "told":
                return Plan()
            child = an_object("child", labels={"parent": name(parent)})
            told = UpdateStatus(resources.CONFIGMAPS, {**parent, "status": "told"})
            return Plan((Create(resources.SECRETS, child),), then=(told,))

        watch = Watch(CHILDREN, label_key("parent"), is_own=is_own)
        return ControllerSpec("telling", PARENTS, look, tell, watches=(watch,), settles=settles)


@pytest.mark.parametrize(
    ("settles", "is_own", "looks"),
    [
        pytest.param(True, True, 2, id="knows both"),
        pytest.param(False, True, 3, id="looks at its status"),
        pytest.param(True, False, 3, id="looks at its child"),
    ],
)
async def test_what_a_controller_has_written_is_looked_at_unless_it_knows_it(
    settles: bool, is_own: bool, looks: int
) -> None:
    client, telling = FakeClient(), Telling([])
    parent = client.put(resources.CONFIGMAPS, an_object("a"))
    manager = Manager(client, name="tests")
    manager.add(telling.spec(settles=settles, is_own=is_own), lambda: "")
    task = asyncio.create_task(manager.run())
    await until(lambda: len(client.written) == 2 and len(telling.looks) == looks - 1)
    # What somebody else writes concerns it, be it only the status.
    client.put(resources.CONFIGMAPS, {**parent, "status": "told", "data": "by another"})
    await until(lambda: telling.looks[-1].get("data"))
    assert len(telling.looks) == looks
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("changes", "is_so"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"status": {"x": 1}}, False, id="status"),
        pytest.param({"metadata": {"resourceVersion": "2"}}, False, id="version"),
        pytest.param({"metadata": {"generation": 2}}, True, id="spec"),
        pytest.param({"metadata": {"labels": {"a": "b"}}}, True, id="labels"),
        pytest.param({"metadata": {"annotations": {"a": "b"}}}, True, id="annotations"),
        pytest.param({"metadata": {"deletionTimestamp": "now"}}, True, id="deletion"),
    ],
)
def test_what_is_more_than_a_status(changes: Object, is_so: bool) -> None:
    assert is_made_otherwise({"metadata": {}}, {"metadata": {}, **changes}) is is_so


@pytest.mark.parametrize(
    ("changes", "is_concerned"),
    [({"generation": 2}, True), ({"resourceVersion": "9"}, False)],
)
async def test_a_controller_goes_by_changes_of_its_own_objects_that_it_names(
    changes: dict[str, object], is_concerned: bool
) -> None:
    client, seen = FakeClient(), list[str]()

    async def look(key: Key) -> None:
        seen.append(key[1])

    obj = client.put(resources.CONFIGMAPS, an_object("a"))
    manager = Manager(client, name="tests")
    manager.add_controller("looker", look, source=PARENTS, when=is_made_otherwise)
    task = asyncio.create_task(manager.run())
    await until(lambda: seen == ["a"])
    client.put(resources.CONFIGMAPS, {**obj, "metadata": {**obj["metadata"], **changes}})
    client.put(resources.CONFIGMAPS, an_object("b"))
    await until(lambda: seen[-1] == "b")
    assert seen == (["a", "a", "b"] if is_concerned else ["a", "b"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("owner", "keys"),
    [
        pytest.param(("apps/v1", "ReplicaSet"), [("ns", "rs")], id="ours"),
        pytest.param(("example.dev/v1", "ReplicaSet"), [], id="another-group"),
        pytest.param(("apps/v1", "Deployment"), [], id="another-kind"),
    ],
)
def test_an_owner_is_known_by_group_and_kind(owner: tuple[str, str], keys: list[Key]) -> None:
    obj = an_object("p")
    reference = {"apiVersion": owner[0], "kind": owner[1], "name": "rs", "controller": True}
    obj["metadata"]["ownerReferences"] = [reference]
    lister = Manager(FakeClient(), name="tests")
    assert list(owner_key(resources.REPLICASETS)(lister, obj)) == keys


def test_a_reconciler_without_settings_fits_in() -> None:
    def decide(observed: int, *, now: float) -> Plan:
        return Plan(requeue_after=observed + now)

    assert without_settings(decide)(1, settings="any", now=2.0).requeue_after == 3.0
