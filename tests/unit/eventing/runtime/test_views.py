"""What the data plane reads off Broker and Trigger objects."""

import copy
import json
from typing import Any

import pytest

from eventing.api import keys
from eventing.api.deliveryoptions import BACKOFF_JITTER as JITTER
from eventing.api.joins import JOIN_BRANCH, JOIN_OF, JoinBranch, JoinOptions
from eventing.engines.seam import Start
from eventing.runtime import views
from eventing.runtime.joins.parts import MARK
from eventing.runtime.policy import Backoff

BROKER: dict[str, Any] = {
    "metadata": {
        "name": "b",
        "namespace": "ns",
        "uid": "u1",
        "annotations": {keys.BROKER_CLASS_ANNOTATION: keys.BROKER_CLASS},
    },
    "spec": {"delivery": {"retry": 5, "backoffPolicy": "linear", "backoffDelay": "PT1S"}},
    "status": {"deadLetterSinkUri": "http://dead.broker"},
}


def a_trigger(status=None, **spec):
    return {
        "metadata": {"name": "t", "namespace": "ns", "uid": "u2", "generation": 3},
        "spec": {"broker": "b"} | spec,
        "status": status or {},
    }


def test_a_trigger_without_delivery_has_its_brokers():
    view = views.subscription_spec(a_trigger(), BROKER)
    assert (view.policy.retries, view.policy.backoff) == (5, Backoff.LINEAR)
    assert view.dead_letter is not None
    assert view.dead_letter.url == "http://dead.broker"
    assert view.target is None


def test_a_triggers_delivery_counts_whole():
    status = {"subscriberUri": "http://s/x", "deadLetterSinkUri": "http://dead.trigger"}
    view = views.subscription_spec(a_trigger(status, delivery={"retry": 1}), BROKER)
    assert (view.policy.retries, view.policy.backoff) == (1, Backoff.NONE)
    assert view.target is not None
    assert view.dead_letter is not None
    assert (view.target.url, view.dead_letter.url) == ("http://s/x", "http://dead.trigger")


def test_a_filter_that_cannot_be_served_is_an_error():
    with pytest.raises(ValueError):
        views.subscription_spec(a_trigger(filters=[{"nope": "x"}]), BROKER)


@pytest.mark.parametrize(
    ("annotations", "start"),
    [
        ({}, Start.LATEST),
        ({keys.START_ANNOTATION: "latest"}, Start.LATEST),
        ({keys.START_ANNOTATION: "earliest"}, Start.EARLIEST),
    ],
)
def test_where_a_new_trigger_starts(annotations, start):
    trigger = a_trigger()
    trigger["metadata"]["annotations"] = annotations
    assert views.subscription_spec(trigger, BROKER).start is start


def test_a_start_that_means_nothing_is_an_error():
    trigger = a_trigger()
    trigger["metadata"]["annotations"] = {keys.START_ANNOTATION: "first"}
    with pytest.raises(ValueError):
        views.subscription_spec(trigger, BROKER)


def test_a_filter_is_kept_as_written_to_be_explained():
    filters = [{"exact": {"type": "a"}}]
    assert views.subscription_spec(a_trigger(filters=filters), BROKER).wants == {"filters": filters}


def test_annotations_of_a_trigger_count_before_its_brokers():
    broker = copy.deepcopy(BROKER)
    broker["metadata"]["annotations"] = {JITTER: "full"}
    assert views.subscription_spec(a_trigger(), broker).policy.full_jitter
    trigger = a_trigger()
    trigger["metadata"]["annotations"] = {JITTER: "small"}
    assert not views.subscription_spec(trigger, broker).policy.full_jitter


def test_a_channel_tells_what_its_subscriptions_ask_for():
    options = {"u1": {JITTER: "full"}}
    marks = {keys.SUBSCRIBER_OPTIONS_ANNOTATION: json.dumps(options)}
    channel = {"metadata": {"name": "c", "namespace": "ns", "annotations": marks}}
    specs = [views.channel_subscription(channel, {"uid": uid}) for uid in ("u1", "u2")]
    assert [each.policy.full_jitter for each in specs] == [True, False]


def test_a_channel_tells_where_its_subscriptions_start():
    options = {"u1": {keys.START_ANNOTATION: "earliest"}, "u2": {keys.START_ANNOTATION: "no"}}
    marks = {keys.SUBSCRIBER_OPTIONS_ANNOTATION: json.dumps(options)}
    channel = {"metadata": {"name": "c", "namespace": "ns", "annotations": marks}}
    assert views.channel_subscription(channel, {"uid": "u1"}).start is Start.EARLIEST
    assert views.channel_subscription(channel, {"uid": "u3"}).start is Start.LATEST
    with pytest.raises(ValueError):
        views.channel_subscription(channel, {"uid": "u2"})


def test_of_the_channel_of_a_join_subscribers_get_what_was_joined():
    options = JoinOptions("data", 5.0, 2, "/p")
    channel = {
        "metadata": {"name": "c", "namespace": "ns", "annotations": {JOIN_OF: options.to_json()}}
    }
    assert views.join_of(channel) == options
    wanted = views.channel_subscription(channel, {"uid": "u"}).filter
    assert not wanted.matches({"id": "1", MARK: "x"})
    assert wanted.matches({"id": "1"})


def test_a_subscription_of_a_branch_knows_it():
    branch = JoinBranch("p-join", 1, is_last=True, is_filter=False)
    marks = {keys.SUBSCRIBER_OPTIONS_ANNOTATION: json.dumps({"u": {JOIN_BRANCH: branch.to_json()}})}
    channel = {"metadata": {"name": "c", "namespace": "ns", "annotations": marks}}
    assert views.channel_subscription(channel, {"uid": "u"}).branch == branch
    assert views.channel_subscription(channel, {"uid": "v"}).branch is None
    assert not views.marks_events(channel)
