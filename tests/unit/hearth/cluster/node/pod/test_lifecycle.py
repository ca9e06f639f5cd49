from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.pod import records
from hearth.cluster.node.pod.lifecycle import (
    DEADLINE_EXCEEDED,
    Deletion,
    Fail,
    Failure,
    Observed,
    Prepare,
    Remove,
    Start,
    Stop,
    phase,
    step,
)
from hearth.cluster.node.pod.records import Record, Running, Terminated
from hearth.cluster.node.pod.spec import PodSpec, Stage, parse_pod

NOW = 1000.0
ASpec = Callable[..., PodSpec]
SIDECAR = {"restartPolicy": "Always"}


def running(*, started: bool = True, ready: bool = True) -> Record:
    return Record(running=Running(NOW - 1), is_started=started, is_ready=ready)


def ended(code: int = 0, *, at: float = NOW - 1) -> Record:
    return Record(ended=Terminated(code, "Completed" if code == 0 else "Error", at))


def seen(**known: Record) -> Observed:
    return Observed(known, is_prepared=True, started_at=NOW - 10)


def test_a_new_pod_is_prepared_first(a_spec: ASpec) -> None:
    assert step(a_spec(), Observed({}), NOW).actions == (Prepare(),)


def test_main_containers_start_together(a_spec: ASpec) -> None:
    assert step(a_spec({}, {}), seen(), NOW).actions == (Start("c0"), Start("c1"))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, (Start("i0"),), id="the first one"),
        pytest.param({"i0": running()}, (), id="wait for it"),
        pytest.param({"i0": ended()}, (Start("i1"),), id="then the next"),
        pytest.param({"i0": ended(), "i1": ended()}, (Start("c0"),), id="then the work"),
        pytest.param({"i0": ended(1)}, (Start("i0"),), id="failed: again"),
    ],
)
def test_init_containers_run_one_by_one(
    a_spec: ASpec, known: dict[str, Record], expected: tuple[Start, ...]
) -> None:
    assert step(a_spec(inits=({}, {})), seen(**known), NOW).actions == expected


def test_once_the_work_has_begun_the_init_containers_are_over(a_spec: ASpec) -> None:
    """As kubelet has it: what became of them may be forgotten meanwhile."""
    pod = a_spec(inits=({},), restartPolicy="OnFailure")
    assert phase(pod, seen(c0=running())) == "Running"
    assert step(pod, seen(c0=ended(1)), NOW).actions == (Start("c0"),)
    assert step(pod, seen(c0=ended()), NOW).actions == ()
    assert phase(pod, seen(c0=ended())) == "Succeeded"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, (Start("i0"),), id="first"),
        pytest.param({"i0": running(started=False)}, (), id="until it has started"),
        pytest.param({"i0": running()}, (Start("c0"),), id="then the work beside it"),
        pytest.param({"i0": ended(0), "c0": running()}, (Start("i0"),), id="always restarted"),
    ],
)
def test_sidecars(a_spec: ASpec, known: dict[str, Record], expected: tuple[Start, ...]) -> None:
    assert step(a_spec(inits=(SIDECAR,)), seen(**known), NOW).actions == expected


def test_sidecars_stop_when_the_work_is_done(a_spec: ASpec) -> None:
    pod = a_spec(inits=(SIDECAR, SIDECAR), restartPolicy="Never")
    observed = seen(i0=running(), i1=running(), c0=ended())
    assert step(pod, observed, NOW).actions == (Stop("i1", NOW + 30),)
    observed = seen(i0=running(), i1=replace(running(), is_stopping=True), c0=ended())
    assert step(pod, observed, NOW).actions == ()


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(a_spec: ASpec, policy: str, code: int, restarts: bool) -> None:
    actions = step(a_spec(restartPolicy=policy), seen(c0=ended(code)), NOW).actions
    assert actions == ((Start("c0"),) if restarts else ())


def test_a_doomed_container_is_stopped_with_its_own_grace(a_spec: ASpec) -> None:
    record = replace(running(), kill_reason="Container c0 failed liveness probe", kill_grace=3)
    actions = step(a_spec(), seen(c0=record), NOW).actions
    assert actions == (Stop("c0", NOW + 3),)


def test_a_crashing_container_waits_for_its_backoff(a_spec: ASpec) -> None:
    record = replace(ended(1), backoff=records.Backoff(20.0, NOW - 5))
    found = step(a_spec(), seen(c0=record), NOW)
    assert found.actions == ()
    assert found.wake_at == NOW - 1 + 20
    assert step(a_spec(), seen(c0=record), NOW + 19).actions == (Start("c0"),)


def test_a_refused_container_is_tried_again_later(a_spec: ASpec) -> None:
    record = records.creation_failed(records.NEW, "ErrImagePull", "unknown", now=NOW)
    found = step(a_spec(), seen(c0=record), NOW)
    assert (found.actions, found.wake_at) == ((), NOW + 10)
    assert step(a_spec(), seen(c0=records.retry_now(record)), NOW).actions == (Start("c0"),)


def test_deletion_stops_the_work_and_then_the_sidecars(a_spec: ASpec) -> None:
    pod = a_spec(inits=(SIDECAR,))
    deletion = Deletion(NOW + 5)
    observed = replace(seen(i0=running(), c0=running()), deletion=deletion)
    assert step(pod, observed, NOW).actions == (Stop("c0", NOW + 5),)
    observed = replace(seen(i0=running(), c0=ended(143)), deletion=deletion)
    assert step(pod, observed, NOW).actions == (Stop("i0", NOW + 5),)
    observed = replace(seen(i0=ended(143), c0=ended(143)), deletion=deletion)
    assert step(pod, observed, NOW).actions == (Remove(),)


def test_deletion_waits_for_a_start_under_way(a_spec: ASpec) -> None:
    observed = replace(seen(c0=Record(is_starting=True)), deletion=Deletion(NOW + 5))
    assert step(a_spec(), observed, NOW).actions == ()


def test_a_deleted_pod_that_never_ran_is_removed(a_spec: ASpec) -> None:
    assert step(a_spec(), Observed({}, deletion=Deletion(NOW)), NOW).actions == (Remove(),)


@pytest.mark.parametrize(("grace", "seconds"), [(1.0, 1.0), (None, 30.0)])
def test_a_failure_may_say_how_long_containers_have(
    a_spec: ASpec, grace: float | None, seconds: float
) -> None:
    pod = a_spec(terminationGracePeriodSeconds=30)
    failure = Failure("Evicted", "too large", grace)
    stop = step(pod, replace(seen(c0=running()), failure=failure), NOW).actions
    assert stop == (Stop("c0", NOW + seconds),)


def test_the_active_deadline_fails_the_pod(a_spec: ASpec) -> None:
    pod = a_spec(activeDeadlineSeconds=30)
    assert step(pod, seen(c0=running()), NOW).wake_at == NOW + 20
    assert step(pod, seen(c0=running()), NOW + 20).actions == (Fail(DEADLINE_EXCEEDED),)
    failed = replace(seen(c0=running()), failure=DEADLINE_EXCEEDED)
    actions = step(pod, failed, NOW + 20).actions
    assert actions == (Stop("c0", NOW + 50),)
    assert phase(pod, failed) == "Failed"


@pytest.mark.parametrize(
    ("spec", "known", "expected"),
    [
        pytest.param({}, {}, "Pending", id="nothing runs"),
        pytest.param({}, {"c0": running()}, "Running", id="runs"),
        pytest.param({}, {"c0": ended(1)}, "Running", id="crashing is still Running"),
        pytest.param({"restartPolicy": "Never"}, {"c0": ended()}, "Succeeded", id="done"),
        pytest.param({"restartPolicy": "Never"}, {"c0": ended(3)}, "Failed", id="failed"),
        pytest.param({"restartPolicy": "OnFailure"}, {"c0": ended()}, "Succeeded", id="on failure"),
        pytest.param({"inits": ({},)}, {"i0": ended(1)}, "Pending", id="init crashing"),
        pytest.param(
            {"inits": ({},), "restartPolicy": "Never"}, {"i0": ended(1)}, "Failed", id="init failed"
        ),
        pytest.param(
            {"inits": (SIDECAR,), "restartPolicy": "Never"},
            {"i0": running(), "c0": ended()},
            "Running",
            id="a sidecar still runs",
        ),
    ],
)
def test_phase(
    a_spec: ASpec, spec: dict[str, object], known: dict[str, Record], expected: str
) -> None:
    assert phase(a_spec(**spec), seen(**known)) == expected


def test_a_failed_init_container_ends_the_pod(a_spec: ASpec) -> None:
    pod = a_spec(inits=({},), restartPolicy="Never")
    assert step(pod, seen(i0=ended(1)), NOW).actions == ()


# -- properties ---------------------------------------------------------------------------------

_records = st.one_of(
    st.just(records.NEW),
    st.just(Record(is_starting=True)),
    st.builds(
        Record,
        running=st.just(Running(NOW - 1)),
        is_started=st.booleans(),
        is_stopping=st.booleans(),
        kill_reason=st.sampled_from(["", "liveness"]),
    ),
    st.builds(
        Record,
        ended=st.builds(
            Terminated,
            exit_code=st.sampled_from([0, 1, 137]),
            reason=st.just("Error"),
            finished_at=st.just(NOW - 1),
        ),
        backoff=st.sampled_from([None, records.Backoff(10.0, NOW - 2)]),
    ),
)


@st.composite
def _worlds(draw: st.DrawFn) -> tuple[PodSpec, Observed]:
    stages = draw(st.lists(st.sampled_from(["init", "sidecar"]), max_size=3))
    pod = parse_pod(
        {
            "metadata": {"name": "p", "namespace": "d", "uid": "u"},
            "spec": {
                "restartPolicy": draw(st.sampled_from(["Always", "OnFailure", "Never"])),
                "containers": [
                    {"name": f"c{i}"} for i in range(draw(st.integers(min_value=1, max_value=3)))
                ],
                "initContainers": [
                    {"name": f"i{i}"} | (SIDECAR if stage == "sidecar" else {})
                    for i, stage in enumerate(stages)
                ],
            },
        }
    )
    known = {c.name: draw(_records) for c in pod.containers}
    deletion = draw(st.sampled_from([None, Deletion(NOW + 5)]))
    failure = draw(st.sampled_from([None, Failure("DeadlineExceeded", "late")]))
    return pod, Observed(known, True, NOW - 10, deletion, failure)


@given(_worlds())
def test_actions_fit_what_is_observed(world: tuple[PodSpec, Observed]) -> None:
    """Starts only what does not run, stops only what does, never both of one container."""
    pod, observed = world
    for action in step(pod, observed, NOW).actions:
        if isinstance(action, Start):
            record = observed.record(action.container)
            assert record.running is None and not record.is_starting
            assert observed.deletion is None and observed.failure is None
        if isinstance(action, Stop):
            record = observed.record(action.container)
            assert record.running is not None and not record.is_stopping
        if isinstance(action, Remove):
            assert all(r.running is None for r in observed.records.values())


@given(_worlds())
def test_every_pod_gets_on(world: tuple[PodSpec, Observed]) -> None:
    """Nothing under way, nothing to do and no time to wait for: then the pod is at rest."""
    pod, observed = world
    found = step(pod, observed, NOW)
    busy = any(
        r.is_starting or r.is_stopping or r.running is not None for r in observed.records.values()
    )
    if not found.actions and found.wake_at is None and not busy:
        assert phase(pod, observed) in ("Succeeded", "Failed")


@given(_worlds())
def test_a_deleted_pod_comes_to_its_end(world: tuple[PodSpec, Observed]) -> None:
    """Carrying out what is asked for removes any pod within a few rounds."""
    pod, observed = world
    observed = replace(observed, deletion=Deletion(NOW + 5))
    known = {
        name: replace(record, is_starting=False, is_stopping=False)
        for name, record in observed.records.items()
    }
    for _ in range(len(pod.containers) + 2):
        actions = step(pod, replace(observed, records=known), NOW).actions
        if actions == (Remove(),):
            return
        for action in actions:
            assert isinstance(action, Stop)
            known[action.container] = ended(143)
    raise AssertionError("never removed")


def test_stages(a_spec: ASpec) -> None:
    pod = a_spec({}, inits=({}, SIDECAR))
    assert [c.stage for c in pod.containers] == [Stage.INIT, Stage.SIDECAR, Stage.MAIN]
