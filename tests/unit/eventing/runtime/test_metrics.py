"""Counters as Prometheus sees them: Knative's names, and series that go with their objects."""

from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from eventing.runtime.metrics import BrokerMetrics
from eventing.runtime.places import BROKER, CHANNEL, Place
from hearth.keda.scalers.values import value_at

B = Place(BROKER, "ns", "b")


def text_of(metrics):
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


def test_knatives_names_and_labels():
    metrics = BrokerMetrics()
    metrics.deliveries(B, "trigger", "t").dispatched(202, 0.003)
    metrics.deliveries(B, "trigger", "t").process.observe(0.001)
    metrics.intake(B).dispatched(202, 0.001)
    text = text_of(metrics)
    labels = (
        'kn_broker_name="b",kn_broker_namespace="ns",kn_channel_name="",kn_channel_namespace="",'
        'messaging_destination_name="trigger:t.ns",messaging_operation_name="send",'
        'messaging_system="knative"'
    )
    dispatch = f'http_response_status_code="202",{labels}'
    assert f"kn_eventing_dispatch_duration_seconds_count{{{dispatch}}} 1.0" in text
    assert f"kn_eventing_process_duration_seconds_count{{{labels}}} 1.0" in text
    assert 'messaging_destination_name="broker:b.ns"' in text
    assert "kn_eventing_process_duration_seconds_sum" in text


def test_kedas_kinds_read_the_lag_of_one_trigger():
    """As docs/eventing.md has it in a ScaledObject; what nobody knows is not told."""
    metrics, lags = BrokerMetrics(), {"a": 3, "b": 7}
    for name in ("a", "b", "c"):
        metrics.deliveries(B, "trigger", name).lag = partial(lags.get, name)
    text = text_of(metrics).encode()
    location = 'hearth_events_lag{messaging_destination_name="trigger:b.ns"}'
    assert value_at(text, location, "prometheus") == 7
    with pytest.raises(ValueError, match="not found"):
        value_at(text, location.replace("trigger:b", "trigger:c"), "prometheus")


def test_series_go_with_their_objects():
    metrics = BrokerMetrics()
    metrics.deliveries(B, "trigger", "t").dropped += 1
    metrics.deliveries(B, "trigger", "u").dropped += 1
    metrics.log_state(B, size=10, events=2, gone=3)
    metrics.forget(B, "trigger", "t")
    assert (
        'hearth_event_log_gone_total{kn_broker_name="b",kn_broker_namespace="ns"} 3.0'
        in text_of(metrics)
    )
    assert "trigger:t.ns" not in text_of(metrics)
    assert "trigger:u.ns" in text_of(metrics)
    metrics.forget(B)
    text = text_of(metrics)
    assert "trigger:u.ns" not in text
    assert "hearth_event_log_bytes{" not in text


def test_a_channel_is_no_broker_of_its_name():
    metrics = BrokerMetrics()
    channel = Place(CHANNEL, "ns", "b")
    for place in (B, channel):
        metrics.intake(place).dispatched(202, 0.001)
        metrics.log_state(place, size=10, events=2)
    metrics.deliveries(channel, "subscription", "s").dropped += 1
    metrics.forget(B)
    text = text_of(metrics)
    assert 'kn_broker_name="b",' not in text
    assert 'hearth_event_log_bytes{kn_broker_name="b-kn-channel",kn_broker_namespace="ns"}' in text
    assert 'messaging_destination_name="channel:b.ns"' in text
    assert 'messaging_destination_name="subscription:s.ns"' in text


def test_a_channel_is_known_by_knatives_labels_too():
    metrics = BrokerMetrics()
    channel = Place(CHANNEL, "ns", "c")
    metrics.deliveries(channel, "subscription", "s").dispatched(200, 0.001)
    metrics.intake(channel).dispatched(202, 0.001)
    lines = [
        line
        for line in text_of(metrics).splitlines()
        if line.startswith(("kn_eventing_dispatch_duration_seconds_count", "http_server"))
    ]
    assert lines
    assert all('kn_channel_name="c",kn_channel_namespace="ns"' in line for line in lines)


def test_requests_that_are_taken_in_and_others():
    metrics = BrokerMetrics()
    metrics.intake(B).dispatched(202, 0.02)
    metrics.intake(B).dispatched(429, 0.0)
    for _ in range(3):
        metrics.turned_away(400)
    found = {
        line.partition('http_response_status_code="')[2][:3]: line.rpartition(" ")[2]
        for line in text_of(metrics).splitlines()
        if line.startswith("http_server_request_duration_seconds_count")
    }
    assert found == {"202": "1.0", "429": "1.0", "400": "3.0"}


def test_held_events_are_counted():
    metrics = BrokerMetrics()
    metrics.deliveries(B, "trigger", "t").held = 3
    [line] = [
        each for each in text_of(metrics).splitlines() if each.startswith("hearth_events_held{")
    ]
    assert 'messaging_destination_name="trigger:t.ns"' in line
    assert line.endswith(" 3.0")


class Growing(dict[Any, Any]):
    """Gets an entry whenever it is walked, as the event loop may add one in its own thread."""

    def __init__(self, entries, grown):
        super().__init__(entries)
        self._grown = iter(grown)

    def items(self):
        for item in super().items():
            yield item
            self[next(self._grown)] = item[1]


def test_series_may_come_while_they_are_read():
    metrics = BrokerMetrics()
    counters = metrics.deliveries(B, "trigger", "t")
    counters.dispatched(200, 0.1)
    metrics.log_state(B, size=1, events=1)
    counters.dispatch = Growing(counters.dispatch, range(1000))
    more = [("ns", "b", f"trigger:{number}.ns") for number in range(1000)]
    metrics._deliveries = Growing(metrics._deliveries, more)
    metrics._logs = Growing(metrics._logs, (("ns", str(number)) for number in range(1000)))
    text = text_of(metrics)
    assert "trigger:t.ns" in text
    assert "hearth_event_log_bytes{" in text
