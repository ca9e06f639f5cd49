"""Whether a subject may send an event somewhere: by EventPolicies, or by the default. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eventing.api import keys
from eventing.api.views import spec_of, status_of
from eventing.filters import Filter, FilterError, compile_filters
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object

ALLOW_ALL, DENY_ALL = "allow-all", "deny-all"
_NOBODY = Filter(lambda _: False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy: whom it lets send, and which events."""

    subjects: Sequence[str]
    filter: Filter

    def allows(self, subject: str, attributes: Mapping[str, str]) -> bool:
        """Whether it lets somebody send an event."""
        return any(_is_meant(each, subject) for each in self.subjects) and self.filter.matches(
            attributes
        )


def _is_meant(pattern: str, subject: str) -> bool:
    """In any case, as Knative compares; an asterisk at the end stands for any ending."""
    if pattern.lower() == subject.lower():
        return True
    return pattern.endswith("*") and subject.startswith(pattern[:-1])


def rules_of(policies: Iterable[Object]) -> list[Rule]:
    """Return what policies say; one that is not ready, or cannot be read, lets nobody send.

    Knative goes by the default while a policy is not ready, which may let others send.
    """
    return [_rule(each) for each in policies]


def _rule(policy: Object) -> Rule:
    if not Conditions.of(policy).is_true(keys.READY):
        return Rule((), _NOBODY)
    try:
        wanted = compile_filters(spec_of(policy).get("filters") or ())
    except FilterError:
        return Rule((), _NOBODY)
    return Rule(status_of(policy).get("from") or (), wanted)


def is_allowed(
    rules: Sequence[Rule],
    subject: str,
    attributes: Mapping[str, str],
    *,
    namespace: str,
    default: str,
) -> bool:
    """Whether a subject may send an event into a namespace; ``default`` counts without rules."""
    if rules:
        return any(each.allows(subject, attributes) for each in rules)
    if default == DENY_ALL:
        return False
    return default == ALLOW_ALL or subject.startswith(f"system:serviceaccount:{namespace}:")
