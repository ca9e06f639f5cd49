"""Annotations that say how events are delivered: read, checked, handed to channels."""

import pytest

from eventing.api import keys
from eventing.api.channelviews import subscriber_options, with_subscriber_options
from eventing.api.deliveryoptions import (
    BACKOFF_JITTER,
    BATCH_SIZE,
    BATCH_WAIT,
    CIRCUIT_BREAKER,
    CONCURRENCY,
    DEDUPLICATE,
    DELAY,
    DELIVERY_TIME,
    HANDSHAKE,
    KAFKA_ORDER,
    ORDER,
    ORDER_KEY,
    RABBITMQ_PARALLELISM,
    UNDELIVERABLE,
    WEBHOOK_ORIGIN,
    WEBHOOK_RATE,
    WEIGHT,
    DeliveryOptions,
    check_options,
    check_start,
    given_options,
    wanted_of,
)
from hearth.knative.fielderrors import text


def test_nothing_said_is_knatives_way():
    assert DeliveryOptions.from_annotations({}, {"other": "x"}) == DeliveryOptions()


def test_the_later_annotations_count():
    full, small = {BACKOFF_JITTER: "full"}, {BACKOFF_JITTER: "small"}
    assert DeliveryOptions.from_annotations(full, {}).full_jitter
    assert not DeliveryOptions.from_annotations(full, small).full_jitter


def test_a_bad_value_is_named():
    with pytest.raises(ValueError, match=r"backoff-jitter: 'much' is one of small, full"):
        DeliveryOptions.from_annotations({BACKOFF_JITTER: "much"})
    errors = check_options({BACKOFF_JITTER: "much", "other": "x"})
    path = f"metadata.annotations.{BACKOFF_JITTER}"
    assert text(errors) == f"invalid value: much: {path}\nis one of small, full"
    assert not check_options({BACKOFF_JITTER: "full"})


@pytest.mark.parametrize(
    ("value", "asks", "required"),
    [("none", False, False), ("offered", True, False), ("required", True, True)],
)
def test_web_hooks_are_asked_for_permission_or_not(value, asks, required):
    given = {HANDSHAKE: value, WEBHOOK_ORIGIN: "events.example.com", WEBHOOK_RATE: "120"}
    options = DeliveryOptions.from_annotations({HANDSHAKE: "required"}, given)
    assert (options.handshake, options.handshake_required) == (asks, required)
    assert (options.webhook_origin, options.webhook_rate) == ("events.example.com", 120)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (HANDSHAKE, "maybe"),
        (WEBHOOK_ORIGIN, "https://events.example.com"),
        (WEBHOOK_ORIGIN, "-a"),
        (WEBHOOK_ORIGIN, "a" * 254),
        (WEBHOOK_RATE, "0"),
        (WEBHOOK_RATE, "fast"),
    ],
)
def test_bad_words_about_web_hooks_are_refused(name, value):
    assert check_options({name: value})


def test_only_what_is_known_goes_on():
    assert given_options({BACKOFF_JITTER: "full", "kubectl": "x"}) == {BACKOFF_JITTER: "full"}


def test_a_subscription_also_asks_where_it_starts():
    start = {keys.START_ANNOTATION: "earliest"}
    given = {BACKOFF_JITTER: "full", "kubectl": "x"} | start
    assert wanted_of(given) == {BACKOFF_JITTER: "full"} | start
    assert given_options(given) == {BACKOFF_JITTER: "full"}
    assert check_start(start, "Subscription") == check_start({}, "Subscription") == []
    assert check_start({keys.START_ANNOTATION: "x"}, "Subscription")


def test_a_channel_has_what_its_subscriptions_ask_for():
    channel = {"metadata": {"name": "c", "annotations": {"a": "b"}}}
    options = {BACKOFF_JITTER: "full"}
    both = with_subscriber_options(with_subscriber_options(channel, "u1", options), "u2", options)
    assert subscriber_options(both) == {"u1": options, "u2": options}
    assert with_subscriber_options(both, "u1", options) is both
    one = with_subscriber_options(both, "u2", {})
    assert subscriber_options(one) == {"u1": options}
    assert with_subscriber_options(one, "u1", {}) == channel
    assert with_subscriber_options(channel, "u1", {}) is channel


@pytest.mark.parametrize("value", ["{", "[]", "1"])
def test_options_of_a_channel_that_nobody_can_read_are_none(value):
    marks = {"eventing.hearth.dev/subscriber-options": value}
    assert subscriber_options({"metadata": {"annotations": marks}}) == {}


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({KAFKA_ORDER: "ordered"}, DeliveryOptions(ordered=True)),
        ({KAFKA_ORDER: "ordered", ORDER: "unordered"}, DeliveryOptions()),
        (
            {ORDER: "ordered", ORDER_KEY: "subject"},
            DeliveryOptions(ordered=True, order_key="subject"),
        ),
        ({DELIVERY_TIME: "deliverytime"}, DeliveryOptions(time_attribute="deliverytime")),
        ({WEIGHT: "100"}, DeliveryOptions(weight=100)),
        ({RABBITMQ_PARALLELISM: "7"}, DeliveryOptions(concurrency=7)),
        ({RABBITMQ_PARALLELISM: "7", CONCURRENCY: "9"}, DeliveryOptions(concurrency=9)),
        ({CIRCUIT_BREAKER: "enabled"}, DeliveryOptions(breaker=True)),
        (
            {BATCH_SIZE: "100", BATCH_WAIT: "PT1S"},
            DeliveryOptions(batch_size=100, batch_wait_seconds=1),
        ),
        ({DELAY: "PT5M"}, DeliveryOptions(delay_seconds=300)),
        ({DEDUPLICATE: "PT1H"}, DeliveryOptions(duplicate_window_seconds=3600)),
        ({UNDELIVERABLE: "hold"}, DeliveryOptions(hold=True)),
    ],
)
def test_what_can_be_asked_for(annotations, expected):
    assert DeliveryOptions.from_annotations(annotations) == expected
    assert not check_options(annotations)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (ORDER, "sometimes"),
        (ORDER_KEY, "Partition-Key"),
        (CONCURRENCY, "0"),
        (WEIGHT, "0"),
        (DELIVERY_TIME, "delivery-time"),
        (DELIVERY_TIME, ""),
        (WEIGHT, "101"),
        (WEIGHT, "1.5"),
        (CONCURRENCY, "1001"),
        (CONCURRENCY, "-1"),
        (CIRCUIT_BREAKER, "true"),
        (BATCH_SIZE, "1"),
        (DELAY, "PT25H"),
        (DEDUPLICATE, "-PT1S"),
        (BATCH_WAIT, "PT61S"),
        (BATCH_WAIT, "a while"),
    ],
)
def test_what_cannot(name, value):
    assert check_options({name: value})


def test_only_what_is_ordered_has_lanes():
    assert DeliveryOptions(order_key="subject").lane_key is None
    assert DeliveryOptions(ordered=True).lane_key == "partitionkey"
