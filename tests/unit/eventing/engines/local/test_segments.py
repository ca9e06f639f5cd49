"""A log cut at any byte has exactly the events that were whole; reading finds every event."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventing.engines.event import RenderedEvent
from eventing.engines.local import segments
from eventing.engines.local.frames import encode
from eventing.engines.local.segments import Place, SegmentWriter, read, recover


def event(number, size=10):
    return encode(RenderedEvent(number, 255, b"ce-id: %d\r\n" % number, b"", b"x" * size))


def write(folder, groups, *, segment_bytes=10**9):
    """Writes groups of events as one log; returns its segments and its end."""
    found, end = recover(folder)
    writer = SegmentWriter(folder, found[-1], segment_bytes=segment_bytes)
    for group in groups:
        data = b"".join(group)
        started = writer.write(data, end)
        if started is not None:
            found.append(started)
        found[-1].size += len(data)
        end += len(group)
    writer.close()
    return found, end


def read_all(found, end, *, start=0, max_bytes=64):
    place, numbers = Place(start), []
    while place.sequence < end:
        portion = read(found, place, end=end, max_bytes=max_bytes)
        numbers += [one.arrival_ns for one in portion.events]
        place = portion.following
    return numbers


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "log"


@given(st.lists(st.integers(0, 80), max_size=8), st.data())
@settings(max_examples=40)
def test_a_crash_at_any_byte_keeps_the_events_before_it(sizes, draw):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = [event(number, size) for number, size in enumerate(sizes)]
        found, _ = write(folder, [[one] for one in written])
        whole = found[-1].path.read_bytes()
        cut = draw.draw(st.integers(0, len(whole)))
        garbage = draw.draw(st.binary(max_size=20))
        found[-1].path.write_bytes(whole[:cut] + garbage)
        recovered, end = recover(folder)
        survivors = read_all(recovered, end)
        ends = [len(b"".join(written[: n + 1])) for n in range(len(written))]
        expected = [number for number, at in enumerate(ends) if at <= cut]
        assert survivors[: len(expected)] == expected
        assert survivors == list(range(len(survivors)))  # nothing made up, nothing out of order
        assert len(survivors) <= len(sizes)


@given(st.lists(st.integers(0, 80), min_size=1, max_size=8), st.integers(0, 200), st.data())
@settings(max_examples=60)
def test_a_read_gives_an_event_however_little_is_asked_for(sizes, max_bytes, draw):
    """Also where less is asked for than the head of a frame; none of it counts as damaged."""
    with tempfile.TemporaryDirectory() as name:
        groups = [[event(number, size)] for number, size in enumerate(sizes)]
        found, end = write(Path(name), groups, segment_bytes=draw.draw(st.integers(50, 400)))
        start = draw.draw(st.integers(0, end - 1))
        place, numbers = Place(start), []
        while place.sequence < end:
            portion = read(found, place, end=end, max_bytes=max_bytes)
            assert portion.skipped == 0
            assert 1 <= len(portion.events) <= max(1, max_bytes // len(event(0, 0)))
            numbers += [one.arrival_ns for one in portion.events]
            place = portion.following
        assert numbers == list(range(start, end))


def test_writing_goes_on_after_a_torn_tail(folder):
    found, _ = write(folder, [[event(0)], [event(1)]])
    with found[-1].path.open("ab") as file:
        file.write(event(2)[:-3])
    found, end = write(folder, [[event(2), event(3)]])
    assert read_all(found, end) == [0, 1, 2, 3]


@given(st.integers(1, 6), st.data())
@settings(max_examples=40)
def test_what_a_crash_leaves_of_events_over_zeros(acknowledged, draw):
    """Pages of the last group reach the disk in any order; what is not there is still zero."""
    with tempfile.TemporaryDirectory() as name:
        found, _ = recover(Path(name))
        writer = SegmentWriter(Path(name), found[-1], segment_bytes=10**9)
        for number in range(acknowledged):
            writer.write(event(number), number)
        kept = len(b"".join(event(number) for number in range(acknowledged)))
        last = b"".join(event(acknowledged + each, 40) for each in range(3))
        writer.write(last, acknowledged)
        data = bytearray(found[-1].path.read_bytes())  # it is not closed, as by a crash
        lost = draw.draw(st.tuples(st.integers(0, len(last)), st.integers(0, len(last))))
        start, stop = kept + min(lost), kept + max(lost)
        data[start:stop] = bytes(stop - start)
        found[-1].path.write_bytes(data)
        recovered, end = recover(Path(name))
        assert read_all(recovered, end) == list(range(end))
        assert acknowledged <= end <= acknowledged + 3
        assert recovered[-1].size == found[-1].path.stat().st_size < len(data)
        writer.close()


def test_room_is_made_ahead_and_given_back(folder, monkeypatch):
    monkeypatch.setattr(segments, "_ROOM", bytes(100))
    found, _ = recover(folder)
    writer, path, size = SegmentWriter(folder, found[-1], segment_bytes=400), found[-1].path, 0
    lengths = []
    for number in range(8):
        size += len(event(number))
        assert writer.write(event(number), number) is None
        lengths.append(path.stat().st_size - size)
        assert path.read_bytes()[size:] == bytes(lengths[-1])
    one = len(event(0))
    assert lengths[:4] == [0, 100, 100 - one, 100 - 2 * one]
    assert max(lengths) == 100 and min(lengths[1:]) >= 0
    started = writer.write(event(8, 300), 8)
    assert path.stat().st_size == size, "a segment that is full has no room left"
    writer.close()
    assert started is not None and started.path.stat().st_size == len(event(8, 300))
    assert read_all([*found, started], 9) == list(range(9))


def test_a_disk_without_room_still_takes_events(folder, monkeypatch):
    def full(fd, data, offset):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    found, end = write(folder, [[event(0)], [event(1)], [event(2)]])
    assert read_all(found, end) == [0, 1, 2]


def test_a_zero_filled_tail_is_cut(folder):
    found, _ = write(folder, [[event(0)]])
    with found[-1].path.open("ab") as file:
        file.write(bytes(10_000))
    recovered, end = recover(folder)
    assert (end, recovered[-1].size) == (1, len(event(0)))


def test_segments_are_named_by_their_first_event(folder):
    found, end = write(folder, [[event(n)] for n in range(9)], segment_bytes=150)
    assert len(found) > 2
    assert [int(one.path.stem) for one in found] == [one.base for one in found]
    assert recover(folder) == (found, end)


@given(st.integers(0, 30), st.integers(60, 400), st.integers(16, 500))
@settings(max_examples=12)
def test_reading_from_anywhere_finds_the_rest(start, segment_bytes, max_bytes):
    with tempfile.TemporaryDirectory() as name:
        groups = [[event(n), event(n + 1, 50)] for n in range(0, 30, 2)]
        found, end = write(Path(name), groups, segment_bytes=segment_bytes)
        expected = list(range(start, 30))
        assert read_all(found, end, start=start, max_bytes=max_bytes) == expected


def test_an_event_larger_than_the_portion_is_read(folder):
    found, end = write(folder, [[event(0, 100_000)], [event(1)]])
    assert read_all(found, end, max_bytes=10) == [0, 1]


def test_events_after_the_end_are_not_shown(folder):
    found, _ = write(folder, [[event(0), event(1)]])
    assert read_all(found, 1) == [0]


def test_damage_inside_a_sealed_segment_costs_no_other_segment(folder):
    found, end = write(folder, [[event(n)] for n in range(6)], segment_bytes=100)
    data = bytearray(found[0].path.read_bytes())
    data[-1] ^= 1
    found[0].path.write_bytes(data)
    place, skipped, numbers = Place(0), 0, []
    while place.sequence < end:
        portion = read(found, place, end=end, max_bytes=1000)
        skipped += portion.skipped
        numbers += [one.arrival_ns for one in portion.events]
        place = portion.following
    assert skipped == 1
    assert numbers == [n for n in range(6) if n != found[1].base - 1]


def test_a_failed_write_leaves_no_trace(folder, monkeypatch):
    found, end = recover(folder)
    writer = SegmentWriter(folder, found[-1], segment_bytes=10**9)
    writer.write(event(0), end)

    def full(fd, data):
        os.write(fd, data[:7])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segments, "write_all", full)
        with pytest.raises(OSError, match="No space"):
            writer.write(event(1), end + 1)
    writer.write(event(2), end + 1)
    writer.close()
    recovered, end = recover(folder)
    assert read_all(recovered, end) == [0, 2]


def test_a_segment_started_by_a_failed_write_is_told_later(folder, monkeypatch):
    found, _ = recover(folder)
    writer = SegmentWriter(folder, found[-1], segment_bytes=60)
    writer.write(event(0), 0)
    with monkeypatch.context() as patched:
        patched.setattr("eventing.engines.local.segments.os.fdatasync", _fail)
        with pytest.raises(OSError, match="I/O"):
            writer.write(event(1), 1)
    started = writer.write(event(1), 1)
    writer.close()
    assert started is not None
    assert started.base == 1


def _fail(fd):
    raise OSError(5, "I/O error")
