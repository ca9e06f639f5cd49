"""Where events of a Broker are taken in."""

import pytest

from eventing.api import keys
from eventing.api.settings import Features, SharedIngress
from eventing.kinds.settings import ControlSettings

SHARED = "http://shared.knative-eventing.svc.cluster.local"


@pytest.mark.parametrize(
    ("of_class", "service", "encryption", "url"),
    [
        (keys.BROKER_CLASS, "shared", "disabled", "http://h"),
        (keys.NATS_CLASS, "shared", "disabled", SHARED),
        (keys.KAFKA_CLASS, "shared", "disabled", SHARED),
        (keys.NATS_CLASS, "", "disabled", "http://h"),
        (keys.NATS_CLASS, "shared", "permissive", "http://h"),
    ],
)
def test_brokers_of_servers_have_a_shared_ingress_where_there_is_one(
    of_class, service, encryption, url
):
    features = Features.from_data({keys.ENCRYPTION_FLAG: encryption})
    shared = SharedIngress.from_data({"service": service} if service else {}).service
    settings = ControlSettings("http://h", frozenset(), features=features, shared_ingress=shared)
    broker = {"metadata": {"annotations": {keys.BROKER_CLASS_ANNOTATION: of_class}}}
    assert settings.ingress_of(broker) == url
