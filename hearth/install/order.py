"""In which order objects are applied, and which kinds Hearth's own are found among. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hearth.kube.meta import Object, labels, name, namespace

PART_OF, HEARTH = "app.kubernetes.io/part-of", "hearth"
SELECTOR = f"{PART_OF}={HEARTH}"
VERSION = "app.kubernetes.io/version"
MANAGER = "hearth-install"
"""Whose fields the installation's are, in server-side apply."""

_ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Deployment",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "APIService",
)
"""What others need comes first. Other kinds, from an overlay of the user's, come last."""

ESSENTIAL = frozenset({"Namespace", "CustomResourceDefinition"})
"""What users' objects live in: it goes only when that is asked for."""


def ordered(objects: Iterable[Object]) -> list[Object]:
    """Return objects in the order in which they are applied."""
    return sorted(objects, key=lambda obj: (_rank(str(obj["kind"])), namespace(obj), name(obj)))


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def describe(obj: Object) -> str:
    """Name an object as ``kubectl`` does: kind, then namespace and name."""
    where = f"{namespace(obj)}/" if namespace(obj) else ""
    return f"{str(obj['kind']).lower()} {where}{name(obj)}"


def is_ours(obj: Object) -> bool:
    """Whether an object of a cluster came with an installation of Hearth."""
    return labels(obj).get(PART_OF) == HEARTH


def identity(obj: Object) -> tuple[str, str, str]:
    """Return what tells an object from all others, whatever version it is read in."""
    return str(obj["kind"]), namespace(obj), name(obj)


def left_over(present: Iterable[Object], wanted: Sequence[Object]) -> list[Object]:
    """Return what an earlier version installed and this one does not, last things first."""
    kept = {identity(obj) for obj in wanted}
    gone = [o for o in present if identity(o) not in kept and o["kind"] not in ESSENTIAL]
    return ordered(gone)[::-1]
