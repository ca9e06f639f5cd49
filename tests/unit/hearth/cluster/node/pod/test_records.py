from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hearth.cluster.node.pod import records
from hearth.cluster.node.pod.records import Backoff, Record, Running, Terminated


def crash(record: Record, at: float) -> Record:
    return records.exited(record, Terminated(1, "Error", at))


def run(record: Record, at: float) -> Record:
    return records.began(record, Running(at), container_id="hearth://x", image_id="i")


def test_backoff_doubles_from_ten_seconds_to_five_minutes() -> None:
    record, now, delays = run(records.NEW, 0.0), 0.0, []
    for _ in range(8):
        now += 1
        record = crash(record, now)
        at = records.restart_at(record)
        delays.append(max(at - now, 0.0))
        now = max(at, now)
        record = run(record, now)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_forgets_earlier_crashes() -> None:
    record = replace(run(records.NEW, 0.0), backoff=Backoff(160.0, 0.0))
    assert records.restart_at(crash(record, 599.0)) == 599 + 160
    late = crash(record, 601.0)
    assert records.restart_at(late) == 0
    assert records.next_backoff(late, 602.0) == Backoff(10.0, 602.0)


def test_a_restart_counts_and_keeps_the_last_end() -> None:
    record = run(crash(run(records.NEW, 0.0), 1.0), 2.0)
    assert record.restarts == 1
    assert record.last is not None and record.last.exit_code == 1
    assert record.ended is None and not record.is_ready


def test_the_first_start_is_no_restart_even_after_complaints() -> None:
    record = records.creation_failed(records.NEW, "ErrImagePull", "unknown", now=0.0)
    assert run(record, 1.0).restarts == 0
    assert run(record, 1.0).waiting is None


def test_a_program_that_cannot_start_counts_as_an_end() -> None:
    record = records.start_failed(records.NEW, "no such file", now=5.0, container_id="")
    assert record.ended is not None
    assert (record.ended.exit_code, record.ended.reason) == (128, "StartError")


def test_image_complaints_wait_longer_each_time() -> None:
    record, waits = records.NEW, []
    for _ in range(7):
        record = records.creation_failed(record, "ErrImagePull", "unknown", now=0.0)
        assert record.waiting is not None
        waits.append(record.waiting.retry_at)
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_configuration_complaints_are_tried_again_soon() -> None:
    record = records.NEW
    for _ in range(5):
        record = records.creation_failed(record, "CreateContainerConfigError", "missing", now=0.0)
    assert record.waiting is not None and record.waiting.retry_at == 2.0


def test_a_lost_process_ends_with_an_unknown_code() -> None:
    found = records.lost(run(records.NEW, 3.0), now=9.0).ended
    assert found is not None
    assert (found.exit_code, found.reason) == (137, "ContainerStatusUnknown")
    assert records.lost(records.NEW, now=9.0) == records.NEW


_times = st.floats(min_value=0, max_value=2e9, allow_nan=False)
_terminated = st.builds(
    Terminated, exit_code=st.integers(0, 255), reason=st.text(), finished_at=_times,
    message=st.text(),
)  # fmt: skip


@given(
    st.builds(
        Record,
        running=st.none() | st.builds(Running, started_at=_times, handle=st.text()),
        ended=st.none() | _terminated,
        last=st.none() | _terminated,
        restarts=st.integers(0, 1000),
        backoff=st.none() | st.builds(Backoff, delay=_times, set_at=_times),
    )
)
def test_records_survive_the_disk(record: Record) -> None:
    assert records.from_json(records.to_json(record)) == record
