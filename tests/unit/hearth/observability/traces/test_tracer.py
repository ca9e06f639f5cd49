import threading

from hearth.observability.traces.config import HTTP, TracingConfig
from hearth.observability.traces.tracer import Tracer
from tests.unit.hearth.observability.traces.test_outbox import LIMITS, Exporter, span


def test_where_there_can_be_no_exporter_it_is_told_and_traces_are_off(caplog):
    def make(config):
        raise ImportError("No module named 'opentelemetry'")

    tracer = Tracer("s", "ns", make_exporter=make)
    tracer.configure(TracingConfig(HTTP, "http://c", 1.0))
    for thread in threading.enumerate():
        if thread.name == "traces":
            thread.join(5)
    assert not tracer.is_on
    assert caplog.messages == ["traces cannot be exported at all"]
    tracer.record(span())
    tracer.close()


def is_on(tracer):
    return tracer.is_on


def test_another_configuration_counts_at_once():
    made = []

    def make(config):
        made.append((config.endpoint, Exporter()))
        return made[-1][1]

    tracer = Tracer("s", "ns", limits=LIMITS, make_exporter=make)
    assert not is_on(tracer)
    tracer.configure(TracingConfig(HTTP, "http://a", 0.0))
    assert not is_on(tracer)
    tracer.configure(TracingConfig(HTTP, "http://a", 0.5))
    assert is_on(tracer)
    assert tracer.sampler.rate == 0.5
    tracer.record(span("to a"))
    tracer.configure(TracingConfig(HTTP, "http://b", 1.0))
    tracer.configure(TracingConfig(HTTP, "http://b", 1.0))
    tracer.record(span("to b"))
    tracer.configure(TracingConfig())
    assert not is_on(tracer)
    tracer.record(span("to nobody"))
    tracer.close()
    assert {url: exporter.batches for url, exporter in made} == {
        "http://a": [["to a"]],
        "http://b": [["to b"]],
    }
    assert all(exporter.closed for _, exporter in made)
