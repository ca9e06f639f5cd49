"""What speaks against an installation, and what the user can do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hearth.install.order import MANAGER, VERSION, is_ours
from hearth.kube import meta
from hearth.kube.meta import Object, labels, metadata, name, namespace
from hearth.kube.resources import Resource

OLDEST_MINOR = 30
"""The oldest Kubernetes 1.x whose APIs and server-side apply are what is relied on."""
_HELM = "meta.helm.sh/release-name"
_RELEASE_LABELS = ("app.kubernetes.io/version", "serving.knative.dev/release")
_KEDA = "keda.sh"


@dataclass(frozen=True, order=True, slots=True)
class Right:
    """One thing to be allowed to do."""

    group: str
    resource: str
    namespace: str
    verb: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so in a cluster before anything is changed."""

    minor: int
    definitions: Sequence[Object]
    """The definitions of our kinds that are there."""
    workloads: Sequence[Object]
    """Hearth's Deployments and StatefulSets, in whatever namespace."""
    denied: Sequence[Right] = ()


def installed_version(facts: Facts) -> str | None:
    """Return the version of the Hearth that is there; None where there is none."""
    versions = [labels(obj).get(VERSION, "") for obj in facts.workloads]
    return max(versions, default=None)


def refusals(
    facts: Facts, *, namespaces: Iterable[str], version: str, upgrade: bool
) -> Iterator[str]:
    """Say what speaks against installing this version into these namespaces."""
    if facts.minor < OLDEST_MINOR:
        yield (
            f"the cluster is Kubernetes 1.{facts.minor}; Hearth needs 1.{OLDEST_MINOR} or newer. "
            "Upgrade the cluster first."
        )
    yield from _foreign_definitions(facts.definitions)
    yield from _other_installations(facts.workloads, frozenset(namespaces))
    yield from _version_refusals(installed_version(facts), version, upgrade=upgrade)
    if facts.denied:
        yield missing_rights(facts.denied)


def _foreign_definitions(definitions: Sequence[Object]) -> Iterator[str]:
    foreign = [obj for obj in definitions if not is_ours(obj)]
    if not foreign:
        return
    if any(_is_of_one_machine(obj) for obj in foreign):
        yield (
            "Hearth runs here already: this is the API of `hearth up`, on one machine, and has all "
            "that an installation would bring. Name a cluster's kubeconfig with --kubeconfig."
        )
        return
    kedas = [obj for obj in foreign if name(obj).endswith(_KEDA)]
    knatives = [obj for obj in foreign if obj not in kedas]
    if knatives:
        yield (
            f"{_there(knatives, 'Knative')}. Nothing was changed: to replace it could break the "
            "Services that live by it. Install Hearth into another cluster and move route by "
            "route, or remove Knative first (its Services go with its definitions)."
        )
    if kedas:
        yield (
            f"{_there(kedas, 'KEDA')}. Nothing was changed: two operators would scale the same "
            "workloads. Leave out the overlay keda, and KEDA goes on (Hearth serves beside it), "
            "or remove KEDA first (its objects go with its definitions)."
        )


def _there(foreign: Sequence[Object], project: str) -> str:
    first = foreign[0]
    release = next((labels(first)[key] for key in _RELEASE_LABELS if key in labels(first)), "")
    others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    return (
        f"the CustomResourceDefinition {name(first)}{others} is there and did not come with "
        f"Hearth{f' ({project} {release})' if release else ''}"
    )


def _is_of_one_machine(definition: Object) -> bool:
    """Whether a component made it itself, as components do where nobody installs them."""
    entries = metadata(definition).get("managedFields") or ()
    managers = {str(entry.get("manager")) for entry in entries} - {MANAGER}
    return any(manager.startswith("hearth-") for manager in managers)


def _other_installations(workloads: Sequence[Object], namespaces: frozenset[str]) -> Iterator[str]:
    elsewhere = sorted({namespace(obj) for obj in workloads} - namespaces)
    if elsewhere:
        yield (
            f"Hearth is installed in the namespace {', '.join(elsewhere)} already, and a cluster "
            "has one: two would answer for the same objects. Go on with that one, or remove it "
            "first."
        )
    releases = {meta.annotations(obj).get(_HELM, "") for obj in workloads} - {""}
    if releases:
        release = sorted(releases)[0]
        yield (
            f"Hearth was installed by Helm, as the release {release}: go on with "
            f"`helm upgrade {release}`, or `helm uninstall {release}` first (definitions and "
            "namespaces stay)."
        )


def _version_refusals(present: str | None, version: str, *, upgrade: bool) -> Iterator[str]:
    if present is None or present == version:
        return
    there, here = _numbers(present), _numbers(version)
    if not upgrade:
        yield f"Hearth {present} is installed; --upgrade makes it {version}."
    if there > here:
        yield f"Hearth {present} is installed, which is newer than {version}: use its own command."
    elif (here[0], here[1] - there[1]) not in ((there[0], 0), (there[0], 1)):
        yield (
            f"from {present} to {version} is more than one minor version: "
            "upgrade by one at a time, so that old and new pods understand each other."
        )


def _numbers(version: str) -> tuple[int, int, int]:
    found = [int(part) for part in re.findall(r"\d+", version)[:3]]
    major, minor, patch = (*found, 0, 0, 0)[:3]
    return major, minor, patch


# -- rights ----------------------------------------------------------------------------------------


def needed_rights(
    objects: Iterable[Object],
    resources: Mapping[tuple[str, str], Resource],
    verbs: Sequence[str],
) -> list[Right]:
    """Return the rights to do some things to objects; ``resources`` by apiVersion and kind."""
    rights = set()
    for obj in objects:
        resource = resources[(obj["apiVersion"], obj["kind"])]
        rights |= {Right(resource.group, resource.plural, namespace(obj), verb) for verb in verbs}
    return sorted(rights)


def missing_rights(denied: Sequence[Right]) -> str:
    """Say which rights are missing, and the rules that would give them."""
    lines = ["you may not do what this takes:"]
    by_resource: dict[tuple[str, str, str], list[str]] = {}
    for right in sorted(denied):
        key = (right.namespace, right.group, right.resource)
        by_resource.setdefault(key, []).append(right.verb)
    for (where, group, resource), verbs in by_resource.items():
        full = f"{resource}.{group}" if group else resource
        place = f"in the namespace {where}" if where else "in the cluster"
        lines.append(f"  {', '.join(verbs)} {full} {place}")
    lines.append("Somebody who may can add these rules to a role of yours:")
    for group, resource in sorted({(group, resource) for _, group, resource in by_resource}):
        verbs = sorted(
            {v for key, each in by_resource.items() if key[1:] == (group, resource) for v in each}
        )
        lines.append(f'- apiGroups: ["{group}"]')
        lines.append(f"  resources: [{resource}]")
        lines.append(f"  verbs: [{', '.join(verbs)}]")
    return "\n".join(lines)
