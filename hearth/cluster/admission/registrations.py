"""Webhook configurations, compiled: which requests concern which webhook, and how to call it.

``webhooks_of`` compiles a raw MutatingWebhookConfiguration or ValidatingWebhookConfiguration;
``matching_version`` decides for one request. Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.cluster.admission.conditions import MatchConditions
from hearth.cluster.model.kind import Kind
from hearth.kube.selectors import LabelSelector, selector_from_object

Object = dict[str, Any]

DEFAULT_TIMEOUT_SECONDS = 10
_ANY = "*"
_UNDISTURBED = frozenset({"mutatingwebhookconfigurations", "validatingwebhookconfigurations"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Operations on resources; each list may hold a wildcard."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]  # (plural, subresource)
    scope: str

    def matches(self, operation: str, kind: Kind, subresource: str, *, namespaced: bool) -> bool:
        """Whether the rule is about this operation on this kind and subresource."""
        if _ANY not in self.operations and operation not in self.operations:
            return False
        if _ANY not in self.groups and kind.group not in self.groups:
            return False
        if _ANY not in self.versions and kind.version not in self.versions:
            return False
        if self.scope != _ANY and namespaced is not (self.scope == "Namespaced"):
            return False
        return any(
            plural in (_ANY, kind.plural) and sub in (_ANY, subresource)
            for plural, sub in self.resources
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook answers: a URL, or a Service (found when it is called)."""

    url: str = ""
    service_namespace: str = ""
    service_name: str = ""
    service_port: int = 443
    path: str = ""
    ca_bundle: bytes = b""

    def address(self) -> str:
        """The URL as messages show it."""
        if self.url:
            return self.url
        host = f"{self.service_name}.{self.service_namespace}.svc:{self.service_port}"
        return f"https://{host}/{self.path.removeprefix('/')}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of one configuration."""

    uid: str  # tells it apart from all others
    name: str
    target: Target
    rules: tuple[Rule, ...]
    ignores_failure: bool
    is_equivalent: bool  # also called for other versions of what it asks for
    namespaces: LabelSelector
    objects: LabelSelector
    timeout_seconds: int
    has_side_effects: bool
    is_reinvocable: bool
    review_versions: tuple[str, ...]
    conditions: MatchConditions = field(default_factory=lambda: MatchConditions(()))
    groups: frozenset[str] = frozenset((_ANY,))
    """Of all rules: most writes are in none of them."""

    def may_concern(self, kind: Kind) -> bool:
        """Whether a rule may be about this kind."""
        return _ANY in self.groups or kind.group in self.groups


def webhooks_of(configuration: Object) -> list[Webhook]:
    """The webhooks of one configuration, in the order in which they are called."""
    owner = configuration["metadata"]["name"]
    return [
        _webhook(declared, f"{owner}/{declared['name']}")
        for declared in configuration.get("webhooks") or ()
    ]


def _webhook(declared: Mapping[str, Any], uid: str) -> Webhook:
    rules = tuple(_rule(rule) for rule in declared.get("rules") or ())
    return Webhook(
        uid=uid,
        groups=frozenset[str]().union(*(rule.groups for rule in rules)),
        name=declared["name"],
        target=_target(declared.get("clientConfig") or {}),
        rules=rules,
        ignores_failure=declared.get("failurePolicy") == "Ignore",
        is_equivalent=declared.get("matchPolicy", "Equivalent") == "Equivalent",
        namespaces=selector_from_object(declared.get("namespaceSelector") or {}),
        objects=selector_from_object(declared.get("objectSelector") or {}),
        timeout_seconds=declared.get("timeoutSeconds") or DEFAULT_TIMEOUT_SECONDS,
        has_side_effects=declared.get("sideEffects") not in ("None", "NoneOnDryRun"),
        is_reinvocable=declared.get("reinvocationPolicy") == "IfNeeded",
        review_versions=tuple(declared.get("admissionReviewVersions") or ()),
        conditions=MatchConditions(
            tuple((c["name"], c["expression"]) for c in declared.get("matchConditions") or ())
        ),
    )


def _target(config: Mapping[str, Any]) -> Target:
    try:
        bundle = base64.b64decode(config.get("caBundle") or "")
    except binascii.Error:
        bundle = b""
    if url := config.get("url"):
        return Target(url=url, ca_bundle=bundle)
    service = config.get("service") or {}
    return Target(
        service_namespace=service.get("namespace", ""),
        service_name=service.get("name", ""),
        service_port=service.get("port") or 443,
        path=service.get("path") or "",
        ca_bundle=bundle,
    )


def _rule(declared: Mapping[str, Any]) -> Rule:
    pairs = [resource.partition("/") for resource in declared.get("resources") or ()]
    return Rule(
        operations=frozenset(declared.get("operations") or ()),
        groups=frozenset(declared.get("apiGroups") or ()),
        versions=frozenset(declared.get("apiVersions") or ()),
        resources=tuple((plural, sub) for plural, _, sub in pairs),
        scope=declared.get("scope") or _ANY,
    )


def is_exempt(kind: Kind) -> bool:
    """Webhook configurations themselves: no webhook may lock its own removal."""
    return kind.group == "admissionregistration.k8s.io" and kind.plural in _UNDISTURBED


def matching_version(
    webhook: Webhook, operation: str, subresource: str, *, kinds: Iterable[Kind], namespaced: bool
) -> Kind | None:
    """The version in which a webhook wants to see an object, or None when it is not concerned.

    ``kinds`` are the served versions of the resource, the requested one first.
    """
    versions = list(kinds) if webhook.is_equivalent else list(kinds)[:1]
    for kind in versions[:1]:
        if _any_rule(webhook, operation, subresource, kind=kind, namespaced=namespaced):
            return kind
    for rule in webhook.rules:
        for kind in versions[1:]:
            if rule.matches(operation, kind, subresource, namespaced=namespaced):
                return kind
    return None


def _any_rule(
    webhook: Webhook, operation: str, subresource: str, *, kind: Kind, namespaced: bool
) -> bool:
    return any(
        rule.matches(operation, kind, subresource, namespaced=namespaced) for rule in webhook.rules
    )


def selects_objects(webhook: Webhook, *objects: Object | None) -> bool:
    """Whether the object selector takes the new or the old object."""
    return not webhook.objects.requirements or any(
        webhook.objects.matches((obj.get("metadata") or {}).get("labels") or {})
        for obj in objects
        if obj is not None
    )
