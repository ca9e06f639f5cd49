"""The queue and its thread, with exporters that do as they are told."""

import threading

import pytest

from hearth.observability.metrics import SPANS
from hearth.observability.traces.context import TraceContext
from hearth.observability.traces.outbox import Outbox, OutboxLimits
from hearth.observability.traces.spans import Span, SpanKind

LIMITS = OutboxLimits(spans=10, batch=4, interval_seconds=0.001, close_seconds=5)
CONTEXT = TraceContext(b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331")


def span(name="s"):
    return lambda: Span(name, SpanKind.INTERNAL, CONTEXT, b"", 1, 2)


class Exporter:
    """Answers in turn, then takes everything; while ``may`` is not set it takes its time."""

    def __init__(self, *answers):
        self.batches = []
        self.answers = iter(answers)
        self.may = threading.Event()
        self.may.set()
        self.taking = threading.Event()
        self.closed = False

    def export(self, spans):
        self.taking.set()
        self.may.wait(10)
        self.batches.append([each.name for each in spans])
        answer = next(self.answers, "")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed = True
        self.may.set()


@pytest.fixture
def counted():
    results = ("exported", "failed", "dropped")
    before = {name: SPANS.labels(name)._value.get() for name in results}
    return lambda: tuple(int(SPANS.labels(name)._value.get() - before[name]) for name in results)


def test_all_is_exported_in_order(counted):
    exporter = Exporter()
    outbox = Outbox(lambda: exporter, endpoint="e", limits=LIMITS)
    outbox.start()
    for number in range(9):
        outbox.add(span(str(number)))
    outbox.close()
    assert [name for batch in exporter.batches for name in batch] == list("012345678")
    assert max(map(len, exporter.batches)) <= LIMITS.batch
    assert exporter.closed
    assert counted() == (9, 0, 0)


def test_what_finds_no_room_is_dropped_and_counted(counted):
    exporter = Exporter()
    exporter.may.clear()
    outbox = Outbox(lambda: exporter, endpoint="e", limits=LIMITS)
    outbox.start()
    outbox.add(span())
    assert exporter.taking.wait(5)
    for _ in range(35):
        outbox.add(span())
    assert len(outbox._spans) == LIMITS.spans
    exporter.may.set()
    outbox.close()
    assert counted() == (1 + LIMITS.spans, 0, 35 - LIMITS.spans)


def test_a_collector_that_takes_nothing_holds_the_end_up_for_a_while_only(counted):
    exporter = Exporter()
    exporter.may.clear()
    limits = OutboxLimits(spans=10, batch=4, interval_seconds=0.001, close_seconds=0.05)
    outbox = Outbox(lambda: exporter, endpoint="e", limits=limits)
    outbox.start()
    outbox.add(span())
    assert exporter.taking.wait(5)
    outbox.close()
    assert exporter.closed
    outbox.add(span())
    assert counted()[2] == 1
    outbox._thread.join(5)  # or it counts in the next test what it had under way


def test_an_outage_is_told_once_and_its_end_too(counted, caplog):
    caplog.set_level("INFO")
    exporter = Exporter("refused", "refused", OSError("broken"), "")
    outbox = Outbox(lambda: exporter, endpoint="http://c", limits=LIMITS)
    for _ in range(4):
        outbox._spans.append(span())
        outbox._empty(exporter)
    assert caplog.messages == ["traces are not exported", "traces are exported again"]
    assert vars(caplog.records[0])["error"] == "refused"
    assert counted() == (1, 3, 0)
