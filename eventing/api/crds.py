"""The CustomResourceDefinitions of eventing.

``python -m eventing.api.crds FOLDER [--check]`` writes them, or says which are not up to date.
"""

from __future__ import annotations

import sys

from eventing.api import keys
from eventing.api.broker import BrokerSpec, BrokerStatus
from eventing.api.trigger import TriggerSpec, TriggerStatus
from hearth.kube.crdgen import READY_COLUMNS, Crd, Version, main

_LABELS = {
    "app.kubernetes.io/name": keys.SYSTEM_NAMESPACE,
    "knative.dev/crd-install": "true",
}
_ADDRESSABLE = {"duck.knative.dev/addressable": "true"}
_PUBLIC = ("all", "knative", "eventing")
_AGE = ("Age", "date", ".metadata.creationTimestamp")

BROKER = Crd(
    keys.GROUP,
    "Broker",
    "brokers",
    (
        Version(
            "v1",
            BrokerSpec,
            BrokerStatus,
            columns=(("URL", "string", ".status.address.url"), _AGE, *READY_COLUMNS),
            description="A pool of events: sent to one address, taken from with Triggers.",
        ),
    ),
    categories=_PUBLIC,
    labels=_LABELS | _ADDRESSABLE,
)
TRIGGER = Crd(
    keys.GROUP,
    "Trigger",
    "triggers",
    (
        Version(
            "v1",
            TriggerSpec,
            TriggerStatus,
            columns=(
                ("Broker", "string", ".spec.broker"),
                ("Subscriber_URI", "string", ".status.subscriberUri"),
                _AGE,
                *READY_COLUMNS,
            ),
            description="Has events of a Broker delivered to a subscriber.",
        ),
    ),
    categories=_PUBLIC,
    labels=_LABELS,
)

CRDS = (BROKER, TRIGGER)


if __name__ == "__main__":
    sys.exit(main(CRDS, sys.argv[1:]))
