"""What a deployment is to be: by the command line, hearth.toml and func.yaml, in that order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearth.cli.errors import UserError
from hearth.functions.building.target import Target, target_of
from hearth.functions.deploying import traffic
from hearth.functions.deploying.manifest import has_port, new_service, with_revision, with_settings
from hearth.functions.deploying.settings import (
    FILE,
    DeploySettings,
    read_file,
    service_name,
    settings_of,
)
from hearth.kube.meta import Object

if TYPE_CHECKING:
    from hearth.functions.projects.project import Project

_PROJECT = "func.yaml"


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What the command line of ``hearth deploy`` says; None where it says nothing."""

    what: str
    flags: dict[str, Any]
    to: str | None
    dry_run: bool
    wait_seconds: float
    namespace: str | None
    data_dir: Path
    kubeconfig: Path | None
    tag: str = ""
    """A tag that the revision gets."""
    suffix: str = ""
    """What its name ends with."""
    unbind: Sequence[str] = ()
    """Names of bindings that end."""
    output: str = "text"


@dataclass(frozen=True, slots=True)
class Wanted:
    """``share`` is the percent of requests of the next revision; None: as the Service has it.

    ``exposed`` is the port that an image names: a Service without one listens there. ``tag`` and
    ``suffix`` are of the revision.
    """

    target: Target
    settings: DeploySettings
    project: Project | None
    share: int | None
    namespace: str
    exposed: int | None = None
    tag: str = ""
    suffix: str = ""

    @property
    def name(self) -> str:
        """Of the Service."""
        return str(self.settings.name)

    def with_image(self, image: str, exposed: int | None = None) -> Wanted:
        """Return the same of an image that was made."""
        settings = DeploySettings(image=image).over(self.settings)
        return replace(self, settings=settings, exposed=exposed)

    def service(self, there: Object | None) -> Object:
        """Return the Service as it is to be, given the one that is there."""
        service = there or new_service(self.name, self.namespace)
        wanted = service
        if self.project is not None:
            wanted = _with_project(wanted, self.project)
        settings = self.settings
        if settings.port is None and not has_port(wanted):
            settings = settings.model_copy(update={"port": self.exposed})
        return with_settings(wanted, settings)

    def shared(self, wanted: Object, there: Object | None) -> Object:
        """Return a Service as wanted, with who gets its requests and its revision's name."""
        service, name = there or new_service(self.name, self.namespace), ""
        if self.tag or self.suffix:
            wanted, name = with_revision(wanted, there, self.suffix, self.tag)
        if self.share is None and not self.tag:
            return wanted
        shares = traffic.current(service)
        if self.share is not None:
            shares = traffic.canary(service, self.share)
        if self.tag and self.share is not None:
            shares = [*shares[:-1], {"revisionName": name, "percent": self.share}]
        wanted["spec"]["traffic"] = traffic.tagged(service, shares, self.tag, name)
        return wanted


def wanted(options: DeployOptions) -> Wanted:
    """Return what is wanted; raise DetectionError, SettingsError, TrafficError, UserError."""
    target = target_of(options.what)
    project = _project(target)
    settings = _settings(options, target, project)
    namespace = options.namespace or (project and project.namespace) or "default"
    share = None if options.to is None else traffic.percent(options.to)
    tag, suffix = options.tag, options.suffix
    return Wanted(target, settings, project, share, namespace, tag=tag, suffix=suffix)


def _project(target: Target) -> Project | None:
    if target.source is None or _PROJECT not in target.source.paths:
        return None
    from hearth.functions.projects.project import ProjectError, read_project

    try:
        project = read_project(target.source.text(_PROJECT))
    except ProjectError as error:
        raise UserError(str(error)) from error
    return project.model_copy(update={"name": project.name or service_name(target.label)})


def _with_project(service: Object, project: Project) -> Object:
    from hearth.functions.projects.manifest import with_project
    from hearth.functions.projects.project import ProjectError

    try:
        return with_project(service, project, os.environ)
    except ProjectError as error:
        raise UserError(str(error)) from error


def _settings(options: DeployOptions, target: Target, project: Project | None) -> DeploySettings:
    values = {key: value for key, value in options.flags.items() if value is not None}
    for field in _PAIRS:
        if field in values:
            texts = [text for text in values[field] if field != "env" or not _is_removal(text)]
            values["unset"] = [text[:-1] for text in values[field] if text not in texts] or None
            values[field] = pairs(field, texts)
    settings = settings_of(values, "the command line")
    if target.source is not None and FILE in target.source.paths:
        settings = settings.over(read_file(target.source.text(FILE)))
    if target.source is None:
        settings = DeploySettings(image=target.label).over(settings)
    if project is not None:
        registry = project.registry if options.kubeconfig is not None else None
        said = DeploySettings(name=project.name, registry=registry or None, domain=project.domain)
        settings = settings.over(said)
    if settings.name:
        return settings
    return DeploySettings(name=service_name(target.label)).over(settings)


_PAIRS = (
    "secrets",
    "build_args",
    "labels",
    "annotations",
    "env",
)  # env last: what it unsets counts


def _is_removal(text: str) -> bool:
    """``NAME-``, as kn and func have it."""
    return text.endswith("-") and "=" not in text


def both(env: Sequence[str] | None, update: Sequence[str] | None,
         remove: Sequence[str] | None) -> list[str] | None:  # fmt: skip
    """Return variables that were given as here, and in lists with commas as gcloud takes them."""
    texts = [*(env or ())]
    texts += [text for many in update or () for text in many.split(",")]
    texts += [f"{name}-" for many in remove or () for name in many.split(",")]
    return texts or None


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return what NAME=VALUE texts of an option say; raise UserError on what is none."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{option} {text!r}: give NAME=VALUE")
        found[name] = value
    return found
