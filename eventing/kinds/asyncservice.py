"""Services whose requests may be answered later: each has a Sequence of one step. Pure.

Serving labels the KIngress of such a Service, and so nobody else's is looked at. The step is the
broker itself, which has the Service answer and keeps the result; replies, which are results, go to
the Service's callback.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from eventing.kinds.children import ensured, head
from eventing.kinds.sequence import SEQUENCE_SOURCE
from eventing.kinds.settings import ControlSettings
from hearth.knative.resources import INMEMORYCHANNELS, KINGRESSES, SEQUENCES
from hearth.kube import meta
from hearth.kube.controllerspec import ControllerSpec, Lister, Source, Watch
from hearth.kube.meta import Key, Object, name, namespace, uid
from hearth.kube.plan import Delete, Plan, Update
from serving.api import keys
from serving.api.asyncrequests import (
    AT_BROKER,
    FAILED,
    RUN,
    AsyncOptions,
    async_of,
    flow_name,
)

SOURCE = Source(KINGRESSES, label_selector=f"{keys.ASYNC}=true")


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is of one Service."""

    key: Key
    ingress: Object | None
    flow: Object | None = None


def observe(lister: Lister, key: Key) -> Observed:
    """Look up a KIngress that is labelled, and what was made for it."""
    ingress = lister.get(SOURCE, *key)
    flow = lister.get(SEQUENCE_SOURCE, key[0], flow_name(key[1]))
    gone = ingress is None or meta.is_deleting(ingress)
    return Observed(key, None if gone else ingress, flow)


def reconcile(observed: Observed, /, *, settings: ControlSettings, now: float) -> Plan:
    """Make the Sequence, or take away what was made here."""
    ingress, flow = observed.ingress, observed.flow
    options = async_of(meta.annotations(ingress)) if ingress is not None else None
    is_ours = flow is not None and meta.labels(flow).get(keys.ASYNC) == observed.key[1]
    if ingress is None or options is None:
        if flow is None or not is_ours:
            return Plan()
        return Plan((Delete(SEQUENCES, namespace(flow), name(flow), uid=uid(flow)),))
    if flow is not None and not is_ours:
        return Plan()  # somebody else's, who needs the name
    wanted = make_flow(ingress, options, settings.ingress_url)
    if flow is not None and "reply" in flow["spec"] and "reply" not in wanted["spec"]:
        kept = {field: value for field, value in flow["spec"].items() if field != "reply"}
        return Plan((Update(SEQUENCES, {**flow, "spec": kept | wanted["spec"]}),))
    return Plan(ensured(SEQUENCES, wanted, flow))


def make_flow(ingress: Object, options: AsyncOptions, broker: str) -> Object:
    """Return the Sequence by which requests of a Service go."""
    service = name(ingress)
    url = f"{broker}{AT_BROKER.decode()}{namespace(ingress)}/{service}"
    query = f"?{urlencode({'callback': options.callback})}" if options.callback else ""
    delivery: dict[str, Any] = {
        "retry": options.retries,
        "backoffPolicy": "exponential",
        "backoffDelay": f"PT{options.backoff:g}S",
        "deadLetterSink": {"uri": f"{url}/{FAILED.decode()}{query}"},
    }
    told = "?callback" if options.callback else ""
    spec: dict[str, Any] = {
        "channelTemplate": {
            "apiVersion": INMEMORYCHANNELS.api_version,
            "kind": INMEMORYCHANNELS.kind,
        },
        "steps": [{"uri": f"{url}/{RUN.decode()}{told}", "delivery": delivery}],
        "reply": {"uri": options.callback} if options.callback else None,
    }
    metadata = head(ingress, flow_name(service)) | {"labels": {keys.ASYNC: service}}
    return {
        "apiVersion": SEQUENCES.api_version,
        "kind": SEQUENCES.kind,
        "metadata": metadata,
        "spec": {field: value for field, value in spec.items() if value is not None},
    }


def _service_of(lister: Lister, flow: Object) -> Iterator[Key]:
    service = meta.labels(flow).get(keys.ASYNC)
    if service:
        yield namespace(flow), service


CONTROLLER: ControllerSpec[Observed, ControlSettings] = ControllerSpec(
    "async", SOURCE, observe, reconcile, watches=(Watch(SEQUENCE_SOURCE, _service_of),)
)
"""For where serving is, so it is none of the list (``eventing.main``)."""
