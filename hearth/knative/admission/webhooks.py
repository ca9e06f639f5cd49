"""A project's webhooks: their names and rules for the API server, and the handlers behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import validate_config_map
from hearth.knative.admission.decisions import Kinds, deny
from hearth.knative.admission.kinds import Kind, Right, Trial
from hearth.knative.settings import Parse
from hearth.kube.admission import AdmissionRequest, AdmissionResponse, Handler
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.webhooks import Webhook, writes_rule

T = TypeVar("T")

DEFAULTING_PATH = "/defaulting"
VALIDATION_PATH = "/resource-validation"
CONFIG_PATH = "/config-validation"

_APP_NAME = "app.kubernetes.io/name"
_NOT_EXCLUDED = {
    "namespaceSelector": {
        "matchExpressions": [{"key": "webhooks.knative.dev/exclude", "operator": "DoesNotExist"}]
    }
}
_UNSUPPORTED = "does not support dry run"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Admission(Generic[T]):
    """What one project asks of admission.

    ``group`` ends the names of the webhooks. ``config_maps`` are the parsers of the ConfigMaps in
    ``system_namespace``, which are known by their label ``app.kubernetes.io/name``.
    """

    group: str
    system_namespace: str
    kinds: Sequence[Kind[Any, T]]
    config_maps: Mapping[str, Parse]

    def by_kind(self) -> Kinds[T]:
        """Return the kinds by group, version and kind."""
        return {(k.resource.group, k.resource.version, k.resource.kind): k for k in self.kinds}

    # -- registration ------------------------------------------------------------------------------

    def config_webhook(self) -> Webhook:
        """Return the webhook for ConfigMaps.

        It has to be registered before the project writes a ConfigMap: the registration of an
        earlier run leads to a process that is gone, and it refuses what it cannot ask about.
        """
        return Webhook(
            f"config.webhook.{self.group}",
            CONFIG_PATH,
            (writes_rule("", ["v1"], ["configmaps"]),),
            labels=self._labels(),
            selectors={"objectSelector": {"matchLabels": {_APP_NAME: self.system_namespace}}},
        )

    def kind_webhooks(self) -> tuple[Webhook, ...]:
        """Return defaulting and validating webhooks, to be registered after the settings.

        Knative is asked about status updates too, and looks at nothing there. Not asking saves two
        calls for each step of a reconciler.
        """
        names = dict.fromkeys(kind.webhook for kind in self.kinds)
        return tuple(webhook for name in names for webhook in self._pair(name))

    def _pair(self, name: str) -> tuple[Webhook, Webhook]:
        """The two webhooks for the kinds that have this name of a webhook."""
        rules = tuple(
            writes_rule(group, [version], plurals)
            for (group, version), plurals in self._plurals(name).items()
        )
        return (
            Webhook(
                f"{name}.{self.group}",
                DEFAULTING_PATH,
                rules,
                mutating=True,
                labels=self._labels(),
                selectors={**_NOT_EXCLUDED, "reinvocationPolicy": "IfNeeded"},
            ),
            Webhook(
                f"validation.{name}.{self.group}",
                VALIDATION_PATH,
                rules,
                labels=self._labels(),
                selectors=_NOT_EXCLUDED,
            ),
        )

    def _labels(self) -> dict[str, str]:
        return {_APP_NAME: self.system_namespace, "app.kubernetes.io/component": "webhook"}

    def _plurals(self, webhook: str) -> dict[tuple[str, str], list[str]]:
        plurals: dict[tuple[str, str], list[str]] = {}
        for kind in self.kinds:
            if kind.webhook != webhook:
                continue
            group = plurals.setdefault((kind.resource.group, kind.resource.version), [])
            group.append(kind.resource.plural)
        return {group: sorted(names) for group, names in sorted(plurals.items())}

    # -- handlers ----------------------------------------------------------------------------------

    def handlers(self, settings: Callable[[], T], client: KubeClient) -> dict[str, Handler]:
        """Return the handlers by path; ``settings`` is asked at each request."""
        kinds = self.by_kind()

        async def validate(request: AdmissionRequest) -> AdmissionResponse:
            answer, trial = decisions.validate(kinds, request, settings())
            right = decisions.right_needed(kinds, request, settings()) if answer.allowed else None
            if right is not None and (refusal := await _without(client, right, request)):
                return deny(f"validation failed: {refusal}: {right.field}", answer.warnings)
            return answer if trial is None else await _tried(client, trial, answer)

        return {
            DEFAULTING_PATH: lambda request: decisions.default(kinds, request, settings()),
            VALIDATION_PATH: validate,
            CONFIG_PATH: lambda request: validate_config_map(self.config_maps, request),
        }


async def _tried(client: KubeClient, trial: Trial, answer: AdmissionResponse) -> AdmissionResponse:
    """Return the answer, or a refusal in the API server's words where it would refuse the child."""
    try:
        await client.create(trial.resource, trial.obj, dry_run=True)
    except ApiError as error:
        if _UNSUPPORTED not in error.message:
            return deny(f"{trial.refusal}{error.message}: {trial.field}", answer.warnings)
    return answer


async def _without(client: KubeClient, right: Right, request: AdmissionRequest) -> str:
    """Return what is said to a user who lacks a right, in Knative's words; nothing if he has it."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": request.username,
            "groups": list(request.groups),
            "resourceAttributes": {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                "namespace": right.namespace,
                "name": right.name,
            },
        },
    }
    try:
        answer = await client.request("POST", _ACCESS_REVIEWS, body=review)
    except ApiError as error:
        return (
            "failed to make authorization request to see if user can subscribe to resources in "
            f"namespace: {error.message}"
        )
    if (answer.get("status") or {}).get("allowed"):
        return ""
    return (
        f"user {request.username} is not authorized to get target resource in namespace: "
        f"{right.namespace}"
    )
