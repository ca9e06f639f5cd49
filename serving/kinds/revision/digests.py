"""Which digests a revision's images stand for, where the registry is asked for them. Pure.

Asked where ``digest-resolution`` in config-deployment says so, before the Deployment is made; from
then on that has the word: all pods of a revision run the same images (Knative's reconcileDigest).
``serving.digests`` asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.kube.meta import Object
from hearth.oci.references import InvalidImageName, Reference, parse_reference
from serving.api import views
from serving.api.settings import Settings

_HUB = "docker.io/"


@dataclass(frozen=True, slots=True)
class Digests:
    """How far it has come."""

    images: Mapping[str, str] = field(default_factory=dict)
    """By container: the image by its digest."""
    is_pending: bool = False
    problem: str = ""
    """Why one is not known, in Knative's words."""
    is_missing: bool = False
    """The registry says that it has no such image, or will not give it; else it says nothing."""


UNASKED = Digests()


def containers_of(revision: Object) -> Iterator[Mapping[str, Any]]:
    """Yield all containers, those that run first last."""
    view = views.Revision(revision)
    yield from view.containers
    yield from view.init_containers


def asked_of(revision: Object, settings: Settings) -> dict[str, Reference]:
    """Return the images whose digests are to be looked up, by container."""
    skipped = settings.deployment.registries_skipping_tag_resolving
    asked: dict[str, Reference] = {}
    if not settings.deployment.resolves_digests:
        return asked
    for container in containers_of(revision):
        try:
            reference = parse_reference(str(container.get("image") or ""))
        except InvalidImageName:
            continue  # its pods say so
        # go-containerregistry's name of it, which users know from Knative
        registry = "index.docker.io" if reference.domain == "docker.io" else reference.domain
        if not reference.digest and not skipped & {registry, reference.domain}:
            asked[str(container.get("name", ""))] = reference
    return asked


def stated(revision: Object, asked: Mapping[str, Reference]) -> dict[str, str]:
    """Return those of the images asked for that the status of the revision has already."""
    status = revision.get("status") or {}
    told = (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or [])
    known = {each["name"]: each.get("imageDigest") for each in told}
    return {name: image for name in asked if (image := known.get(name))}


def by_digest(reference: Reference, digest: str) -> str:
    """Return the name of an image as it is kept: without the tag that led to it."""
    repository = reference.repository
    repository = f"index.{repository}" if repository.startswith(_HUB) else repository
    return f"{repository}@{digest}"


def missing_message(image: str, error: str) -> str:
    """Return what is said of an image whose digest is not known, in Knative's words."""
    return f'Unable to fetch image "{image}": failed to resolve image to digest: {error}'


def kept_images(revision: Object, deployment: Object | None) -> dict[str, str]:
    """Return the images that a Deployment was made with by digest, where the user named a tag."""
    template = ((deployment or {}).get("spec") or {}).get("template") or {}
    pod = template.get("spec") or {}
    made = {
        str(each.get("name", "")): str(each.get("image", ""))
        for group in ("containers", "initContainers")
        for each in pod.get(group) or ()
    }
    named = {str(c.get("name", "")): str(c.get("image", "")) for c in containers_of(revision)}
    return {
        name: image
        for name, image in made.items()
        if "@sha256:" in image and "@" not in named.get(name, "@")
    }


def with_images(revision: Object, images: Mapping[str, str]) -> Object:
    """Return the revision with these images; itself where there are none."""
    if not images:
        return revision
    spec = dict(revision["spec"])
    for group in ("containers", "initContainers"):
        if spec.get(group):
            spec[group] = [
                {**each, "image": images.get(str(each.get("name", "")), each.get("image"))}
                for each in spec[group]
            ]
    return {**revision, "spec": spec}
