"""KEDA's webhooks for the API server, by KEDA's names, without what answers them.

Models, rules and formulas are imported at the first review: who uses no KEDA has none of them.
"""

from __future__ import annotations

from hearth.keda.api import keys
from hearth.kube.admission import AdmissionRequest, AdmissionResponse, Handler
from hearth.kube.client import KubeClient
from hearth.kube.resources import Resource
from hearth.kube.webhooks import Webhook, writes_rule

_NAMES = {
    keys.SCALEDOBJECTS: "vscaledobject.kb.io",
    keys.SCALEDJOBS: "vscaledjob.kb.io",
    keys.TRIGGERAUTHENTICATIONS: "vstriggerauthentication.kb.io",
    keys.CLUSTERTRIGGERAUTHENTICATIONS: "vsclustertriggerauthentication.kb.io",
    keys.CLOUDEVENTSOURCES: "vcloudeventsource.kb.io",
    keys.CLUSTERCLOUDEVENTSOURCES: "vclustercloudeventsource.kb.io",
}
"""Of the HTTP add-on's kinds the API server checks all there is to check, by their schemas."""


def path(resource: Resource) -> str:
    """Return where reviews of a kind go, as controller-runtime names it."""
    group = resource.group.replace(".", "-")
    return f"/validate-{group}-{resource.version}-{resource.kind.lower()}"


WEBHOOKS = tuple(
    Webhook(
        name,
        path(resource),
        (writes_rule(resource.group, [resource.version], [resource.plural]),),
        failure_policy="Ignore",
        labels={"app.kubernetes.io/part-of": "keda"},
    )
    for resource, name in _NAMES.items()
)


def handlers(client: KubeClient) -> dict[str, Handler]:
    """Return the handlers by path."""

    async def review(request: AdmissionRequest) -> AdmissionResponse:
        from hearth.keda.admission import reviews

        return await reviews.review(client, request)

    return dict.fromkeys((webhook.path for webhook in WEBHOOKS), review)
