"""ServerlessService and Metric, as Knative's clients read them: views of PodAutoscalers.

Nothing here goes by them. The API server of one machine shows what each PodAutoscaler says, so that
none is stored and none costs a write (``hearth.cluster.crd.views``); in a cluster they are written
for who asks for them (``serving.kinds.shown``). The mode, and how many activators are meant to be
in the path, are in the PodAutoscaler's status (``keys.ACTIVATORS``).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from hearth.knative.duck import Status
from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube.crdgen import READY_COLUMNS, Crd, Version, main
from hearth.kube.models import Int32, Int64, Kept, Model, Required
from serving.api import keys
from serving.api.podautoscaler import ObjectReference

MODE_SERVE = "Serve"
"""Requests are meant to go to the pods."""
MODE_PROXY = "Proxy"
"""Requests are meant to go through activators."""
LEAST_ACTIVATORS = 2
"""In the path of a revision, where there are as many (Knative's minActivators)."""
USUAL_ACTIVATORS = 3
"""And one for each ready pod, by Knative's own settings: a burst of 211, and 100 an activator."""


class ServerlessServiceSpec(Model):
    """Whether activators are meant to be in the path, and how many."""

    go_type: ClassVar[str] = "v1alpha1.ServerlessServiceSpec"

    mode: str = ""
    """Serve or Proxy."""
    object_ref: Annotated[Kept[ObjectReference], Required()] = Field(
        default_factory=ObjectReference
    )
    """What has the pods."""
    protocol_type: Annotated[Kept[str], Required()] = ""
    """http1 or h2c."""
    num_activators: Int32 = 0
    """Activators that are meant to be in the path."""


class ServerlessServiceStatus(Status):
    """The names of the two Services of a revision."""

    service_name: str = ""
    """Leads to activators or pods, by the mode."""
    private_service_name: str = ""
    """Leads to the pods."""


class MetricSpec(Model):
    """What is averaged over which time, in nanoseconds."""

    go_type: ClassVar[str] = "v1alpha1.MetricSpec"

    stable_window: Annotated[Kept[Int64], Required()] = 0
    """The window that decides in quiet times."""
    panic_window: Annotated[Kept[Int64], Required()] = 0
    """The window that decides in a burst."""
    scrape_target: Annotated[Kept[str], Required()] = ""
    """The Service whose pods are asked in Knative; nothing where activators tell all."""


_BURST = " || ".join(
    f"'{key}' in object.?metadata.?annotations.orValue({{}})"
    for key in keys.TARGET_BURST_CAPACITY.spellings
)
_READY = "object.?status.?actualScale.orValue(0)"
_USUAL = f"'{MODE_PROXY} ' + string({USUAL_ACTIVATORS} + ({_READY} > 0 ? {_READY} : 0))"
_SHOWN = f"object.?status.?annotations[?'{keys.ACTIVATORS}'].orValue({_USUAL}).split(' ')"
_SKS = "object.?status.?conditions.orValue([]).filter(c, c.type == 'SKSReady')"


def _condition(kind: str) -> str:
    """A condition that is true while a pod is ready."""
    head = f"'type': '{kind}', 'status': c.status, 'lastTransitionTime': c.lastTransitionTime"
    why = "'reason': 'NoHealthyBackends', 'message': 'K8s Service is not ready'"
    return f"{_SKS}.map(c, c.status == 'True' ? {{{head}}} : {{{head}, {why}}})"


_IN_PATH = (
    f"{_SKS}.map(c, {{'type': 'ActivatorEndpointsPopulated', 'severity': 'Info', "
    f"'status': c.status == 'True' && {_SHOWN}[0] == 'Serve' ? 'False' : 'True', "
    "'reason': 'ActivatorEndpointsPopulated', 'message': 'Revision is backed by Activator', "
    "'lastTransitionTime': c.lastTransitionTime})"
)
_SERVERLESS_SERVICE = f"""{{
  'spec': {{
    'mode': {_SHOWN}[0],
    'numActivators': int({_SHOWN}[1]),
    'objectRef': object.spec.scaleTargetRef,
    'protocolType': object.spec.protocolType
  }},
  'status': has(object.status) ? {{
    'observedGeneration': 1,
    'serviceName': object.status.serviceName,
    'privateServiceName': {_BURST} ? object.status.metricsServiceName : object.status.serviceName,
    'conditions': {_IN_PATH} + {_condition("EndpointsPopulated")} + {_condition("Ready")}
  }} : {{}}
}}"""
"""``privateServiceName`` is the Service that selects the pods (``podautoscaler.services``)."""


def _read(spellings: tuple[str, ...], default: str) -> str:
    """An annotation in whichever spelling it has."""
    text = f"'{default}'"
    for key in reversed(spellings):
        text = f"object.?metadata.?annotations[?'{key}'].orValue({text})"
    return text


_WINDOW = f"duration({_read(keys.WINDOW.spellings, '60s')}).getSeconds()"
_SHARE = f"double({_read(keys.PANIC_WINDOW_PERCENTAGE.spellings, '10.0')})"
_PANIC = f"int(double({_WINDOW}) * {_SHARE} / 100.0 + 0.5)"
_IS_SCRAPED = f"{_read(keys.TARGET_BURST_CAPACITY.spellings, '')} != '-1'"
_BY_SETTINGS = f"object.?status.?annotations[?'{keys.AVERAGED}'].orValue('').split(' ')"
"""Both windows in seconds, and whether pods are asked, where settings are not Knative's own."""
_METRIC = f"""{{
  'spec': size({_BY_SETTINGS}) == 3 ? {{
    'stableWindow': int({_BY_SETTINGS}[0]) * 1000000000,
    'panicWindow': int({_BY_SETTINGS}[1]) * 1000000000,
    'scrapeTarget': {_BY_SETTINGS}[2] == 'asked'
      ? object.?status.?metricsServiceName.orValue('') : ''
  }} : {{
    'stableWindow': {_WINDOW} * 1000000000,
    'panicWindow': ({_PANIC} < 1 ? 1 : {_PANIC}) * 1000000000,
    'scrapeTarget': {_IS_SCRAPED} ? object.?status.?metricsServiceName.orValue('') : ''
  }},
  'status': has(object.status) ? {{
    'observedGeneration': 1,
    'conditions': [{{
      'type': 'Ready', 'status': 'True', 'lastTransitionTime': object.metadata.creationTimestamp
    }}]
  }} : {{}}
}}"""

_VIEW_OF = f"{PODAUTOSCALERS.plural}.{PODAUTOSCALERS.group}"
_LABELS = {"app.kubernetes.io/name": keys.APP_NAME_SERVING, "knative.dev/crd-install": "true"}

SERVERLESS_SERVICE = Crd(
    keys.NETWORKING_INTERNAL_GROUP,
    "ServerlessService",
    "serverlessservices",
    (
        Version(
            "v1alpha1",
            ServerlessServiceSpec,
            ServerlessServiceStatus,
            columns=(
                ("Mode", "string", ".spec.mode"),
                ("Activators", "integer", ".spec.numActivators"),
                ("ServiceName", "string", ".status.serviceName"),
                ("PrivateServiceName", "string", ".status.privateServiceName"),
                *READY_COLUMNS,
            ),
            description="Whether requests for a revision are meant to go through activators.",
        ),
    ),
    short_names=("sks",),
    categories=("knative-internal", "networking"),
    labels=_LABELS | {"app.kubernetes.io/component": "networking"},
    annotations={"view.hearth.dev/of": _VIEW_OF, "view.hearth.dev/as": _SERVERLESS_SERVICE},
)
METRIC = Crd(
    keys.AUTOSCALING_INTERNAL_GROUP,
    "Metric",
    "metrics",
    (
        Version(
            "v1alpha1",
            MetricSpec,
            Status,
            columns=READY_COLUMNS,
            description="What the autoscaler averages for a revision.",
        ),
    ),
    categories=("knative-internal", "autoscaling"),
    labels=_LABELS,
    annotations={"view.hearth.dev/of": _VIEW_OF, "view.hearth.dev/as": _METRIC},
)
VIEWS = (SERVERLESS_SERVICE, METRIC)

if __name__ == "__main__":  # as other API servers have them, which know of no views
    sys.exit(main((replace(each, annotations={}) for each in VIEWS), sys.argv[1:]))
