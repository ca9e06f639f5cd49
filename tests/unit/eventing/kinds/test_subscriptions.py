"""Joining and leaving a channel, step by step, and that what was done is not done again."""

import copy

from eventing.api import keys
from eventing.api.channelkinds import INMEMORY, KAFKA, NATSJETSTREAM
from eventing.api.channelviews import subscriber_options
from eventing.kinds import channel as channels
from eventing.kinds import servedchannel as servedchannels
from eventing.kinds import subscription as subscriptions
from eventing.kinds.settings import ControlSettings
from hearth.knative.destinations import Reference, Resolved, Unresolved
from hearth.kube.plan import Create, Patch, Update, UpdateStatus

SETTINGS = ControlSettings("http://127.0.0.1:8082", frozenset())
REFERENCE = Reference("messaging.knative.dev/v1", "InMemoryChannel", "ns", "c")
OTHER = {"uid": "other", "generation": 1, "subscriberUri": "http://other"}


def a_subscription(**metadata):
    given = {"name": "s", "namespace": "ns", "uid": "u", "generation": 2, "resourceVersion": "7"}
    spec = {"channel": {"kind": "InMemoryChannel", "name": "c"}}
    return {"metadata": given | metadata, "spec": spec}


def a_channel(*subscribers, **spec):
    metadata = {"name": "c", "namespace": "ns", "uid": "c", "generation": 1}
    head = {"apiVersion": REFERENCE.api_version, "kind": REFERENCE.kind, "metadata": metadata}
    return {**head, "spec": {"subscribers": list(subscribers), **spec}}


def observed(subscription, channel, **more):
    found = channel if isinstance(channel, Unresolved) else None
    return subscriptions.Observed(
        subscription,
        found or subscriptions.FoundChannel(REFERENCE, channel),
        subscriber=Resolved("http://a"),
        **more,
    )


def decided(given):
    return subscriptions.reconcile(given, settings=SETTINGS, now=0)


def condition(obj, kind):
    [found] = [each for each in obj["status"]["conditions"] if each["type"] == kind]
    return found["status"], found.get("reason"), found.get("message")


FINALIZED = {"finalizers": [subscriptions.FINALIZER]}


def test_first_it_keeps_itself_from_going():
    [action] = decided(observed(a_subscription(), a_channel())).actions
    assert isinstance(action, Patch)
    metadata = action.patch["metadata"]
    assert metadata == {"finalizers": [subscriptions.FINALIZER], "resourceVersion": "7"}


def test_it_joins_those_who_are_there_and_is_not_ready_before_the_channel_says_so():
    subscription = a_subscription(**FINALIZED)
    plan = decided(observed(subscription, a_channel(OTHER)))
    [join], [update] = plan.actions, plan.then
    assert isinstance(join, Update) and isinstance(update, UpdateStatus)
    own = {"name": "s", "uid": "u", "generation": 2, "subscriberUri": "http://a"}
    assert join.obj["spec"]["subscribers"] == [OTHER, own]
    assert condition(update.obj, "ChannelReady")[1] == "SubscriptionNotMarkedReadyByChannel"
    channel = copy.deepcopy(join.obj)
    told = {"uid": "u", "observedGeneration": 2, "ready": "False", "message": "no such delay"}
    channel["status"] = {"subscribers": [told]}
    [update] = decided(observed({**update.obj}, channel)).then
    assert isinstance(update, UpdateStatus)
    assert condition(update.obj, "Ready") == (
        "False",
        "SubscriptionNotMarkedReadyByChannel",
        "no such delay",
    )
    channel["status"]["subscribers"] = [told | {"ready": "True"}]
    [update] = decided(observed(update.obj, channel)).then
    assert isinstance(update, UpdateStatus)
    assert condition(update.obj, "Ready") == ("True", None, None)
    assert not decided(observed(update.obj, channel))


def test_delivery_is_its_own_or_the_channels():
    def joined(channel, **more):
        given = observed(a_subscription(**FINALIZED) | more, channel)
        [join] = decided(given).actions
        assert isinstance(join, Update)
        return join.obj["spec"]["subscribers"][-1].get("delivery")

    sink = {"deadLetterSink": {"uri": "http://dead"}, "retry": 3, "format": "json"}
    channel = a_channel(delivery=sink)
    channel["status"] = {"deadLetterSinkUri": "http://dead"}
    assert joined(channel) == sink
    spec = a_subscription()["spec"] | {"delivery": {"retry": 1}}
    assert joined(channel, spec=spec) == {"retry": 1, "deadLetterSink": {"uri": "http://dead"}}
    assert joined(a_channel()) is None


def test_it_leaves_the_channel_before_it_goes():
    leaving = a_subscription(**FINALIZED, deletionTimestamp="now")
    plan = decided(observed(leaving, a_channel({"uid": "u"}, OTHER)))
    [leave], [free] = plan.actions, plan.then
    assert isinstance(leave, Update) and isinstance(free, Patch)
    assert leave.obj["spec"]["subscribers"] == [OTHER]
    assert free.patch["metadata"]["finalizers"] == []
    plan = decided(observed(leaving, Unresolved("not found")))
    assert plan.actions == () and len(plan.then) == 1
    assert not decided(observed(a_subscription(deletionTimestamp="now"), a_channel()))


def test_a_channel_of_a_kind_that_nobody_serves_says_so():
    channel = a_channel(channelTemplate={"apiVersion": "x/v1", "kind": "Own"})
    plan = channels.reconcile(
        channels.Observed(channel, Unresolved("no such kind")), settings=SETTINGS, now=0
    )
    [update] = plan.then
    assert isinstance(update, UpdateStatus) and plan.actions == ()
    text = "problem reconciling the backing channel: no such kind"
    assert condition(update.obj, "BackingChannelReady") == ("False", "ChannelFailure", text)


def test_a_channel_whose_log_cannot_be_opened_says_why():
    channel = a_channel()
    channel["status"] = {"annotations": {keys.PROBLEM_ANNOTATION: "replicas > 1 not supported"}}
    observed = servedchannels.Observed(NATSJETSTREAM, channel, None, None, None)
    plan = servedchannels.reconcile(observed, settings=SETTINGS, now=0)
    [service, _], [update] = plan.actions, plan.then
    assert isinstance(service, Create) and isinstance(update, UpdateStatus)
    assert service.obj["metadata"]["name"] == "c-kn-jsm-channel"
    said = ("False", "DispatcherCreateStreamFailed", "replicas > 1 not supported")
    assert condition(update.obj, "StreamReady") == said
    url = "http://c-kn-jsm-channel.ns.svc.cluster.local"
    assert update.obj["status"]["address"] == {"name": "http", "url": url}


def test_a_kafka_channel_tells_whether_all_its_subscribers_are_served():
    channel = a_channel()
    told = {"annotations": {keys.OPENED_ANNOTATION: "true"}}
    for ready, said in (
        ("True", ("True", None)),
        ("False", ("Unknown", "all subscribers not ready")),
    ):
        channel["status"] = {**told, "subscribers": [{"uid": "a", "ready": ready}]}
        observed = servedchannels.Observed(KAFKA, channel, None, None, None)
        [update] = servedchannels.reconcile(observed, settings=SETTINGS, now=0).then
        assert isinstance(update, UpdateStatus)
        assert condition(update.obj, "Subscribers")[:2] == said
        assert condition(update.obj, "TopicReady")[0] == "True"
        assert condition(update.obj, "Ready")[0] == said[0]


def test_a_channel_whose_name_has_anothers_service_says_so():
    service = {"metadata": {"name": "c-kn-channel", "namespace": "ns"}}
    observed = servedchannels.Observed(INMEMORY, a_channel(), service, None, None)
    plan = servedchannels.reconcile(observed, settings=SETTINGS, now=0)
    [update] = plan.then
    assert isinstance(update, UpdateStatus) and plan.actions == ()
    text = 'Channel Service failed: inmemorychannel: ns/c does not own Service: "c-kn-channel"'
    said = ("False", "ChannelServiceFailed", text)
    assert condition(update.obj, "ChannelServiceReady") == said


def test_what_an_in_memory_channel_made_is_left_as_it_is():
    channel = a_channel()
    nothing = servedchannels.Observed(INMEMORY, channel, None, None, None)
    plan = servedchannels.reconcile(nothing, settings=SETTINGS, now=0)
    service, endpoints = plan.actions
    [update] = plan.then
    assert isinstance(service, Create) and isinstance(endpoints, Create)
    assert isinstance(update, UpdateStatus)
    assert condition(update.obj, "Ready")[:2] == ("Unknown", "LogNotOpen")
    served = copy.deepcopy(service.obj)
    served["spec"]["clusterIP"] = "10.0.0.1"
    again = servedchannels.Observed(INMEMORY, update.obj, served, endpoints.obj, None)
    assert not servedchannels.reconcile(again, settings=SETTINGS, now=0)
    moved = ControlSettings("http://127.0.0.1:9000", frozenset())
    actions = servedchannels.reconcile(again, settings=moved, now=0).actions
    assert [type(each) for each in actions] == [Update, Update]


def test_what_annotations_ask_for_is_with_the_channel_as_long_as_the_subscription_is():
    jitter = {"eventing.hearth.dev/backoff-jitter": "full"}
    subscription = a_subscription(finalizers=[subscriptions.FINALIZER], annotations=jitter)
    [joined] = decided(observed(subscription, a_channel(OTHER))).actions
    assert isinstance(joined, Update)
    assert subscriber_options(joined.obj) == {"u": jitter}
    assert len(joined.obj["spec"]["subscribers"]) == 2
    assert decided(observed(subscription, joined.obj)).actions == ()
    del subscription["metadata"]["annotations"]
    [plain] = decided(observed(subscription, joined.obj)).actions
    assert plain.obj == {**joined.obj, "metadata": a_channel()["metadata"] | {"annotations": {}}}
    subscription["metadata"]["annotations"] = jitter
    subscription["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    [left] = decided(observed(subscription, joined.obj)).actions
    assert left.obj["spec"]["subscribers"] == [OTHER]
    assert subscriber_options(left.obj) == {}
