"""The webhooks of serving as the API server is told of them; names are Knative's."""

from __future__ import annotations

from hearth.kube.webhooks import Webhook, writes_rule
from serving.api import keys

DEFAULTING_PATH = "/defaulting"
VALIDATION_PATH = "/resource-validation"
CONFIG_PATH = "/config-validation"

_LABELS = {keys.APP_NAME: keys.APP_NAME_SERVING, keys.APP_COMPONENT: "webhook"}
_NOT_EXCLUDED = {
    "namespaceSelector": {
        "matchExpressions": [{"key": keys.WEBHOOK_EXCLUDE, "operator": "DoesNotExist"}]
    }
}
_OUR_CONFIG_MAPS = {
    "objectSelector": {
        "matchExpressions": [
            {"key": keys.APP_NAME, "operator": "In", "values": [keys.APP_NAME_SERVING]},
            {
                "key": keys.APP_COMPONENT,
                "operator": "In",
                "values": ["autoscaler", "controller", "logging", "networking", "observability"],
            },
        ]
    }
}
# Knative is asked about status updates too, and looks at nothing there: spec and metadata cannot
# change with the status. Not asking saves two calls for each step of a reconciler.
_RULES = (
    writes_rule(keys.SERVING_GROUP, ["v1"], ["configurations", "revisions", "routes", "services"]),
    writes_rule(keys.SERVING_GROUP, ["v1beta1"], ["domainmappings"]),
    writes_rule(keys.AUTOSCALING_INTERNAL_GROUP, ["v1alpha1"], ["podautoscalers"]),
    writes_rule(keys.NETWORKING_INTERNAL_GROUP, ["v1alpha1"], ["certificates", "ingresses"]),
)

DEFAULTING = Webhook(
    "webhook.serving.knative.dev",
    DEFAULTING_PATH,
    _RULES,
    mutating=True,
    labels=_LABELS,
    selectors={**_NOT_EXCLUDED, "reinvocationPolicy": "IfNeeded"},
)
VALIDATION = Webhook(
    "validation.webhook.serving.knative.dev",
    VALIDATION_PATH,
    _RULES,
    labels=_LABELS,
    selectors=_NOT_EXCLUDED,
)
CONFIG = Webhook(
    "config.webhook.serving.knative.dev",
    CONFIG_PATH,
    (writes_rule("", ["v1"], ["configmaps"]),),
    labels=_LABELS,
    selectors=_OUR_CONFIG_MAPS,
)

ALL = (DEFAULTING, VALIDATION, CONFIG)
