"""``hearth deploy``: finds out what was given, builds it, applies it, waits, prints the URL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearth.cli.access import access_of_either
from hearth.cli.deploy.sending import sent_image
from hearth.cli.deploy.watching import Watch
from hearth.cli.deploy.words import Steps, claim_of, domain_of, found_words, plan_words
from hearth.cli.errors import UserError
from hearth.cli.images import built_image, found_in
from hearth.functions.building.sources import SourceFolder
from hearth.functions.building.target import Target, target_of
from hearth.functions.deploying import traffic
from hearth.functions.deploying.manifest import new_service, with_settings
from hearth.functions.deploying.progress import Phase, newest_revision
from hearth.functions.deploying.settings import (
    FILE,
    DeploySettings,
    SettingsError,
    read_file,
    service_name,
    settings_of,
)
from hearth.functions.detection.application import DetectionError
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS, KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound
from hearth.kube.meta import Object

_LOCAL = "dev.local"  # the registry of images that are made here, which Knative never asks for
_TRIES = 5


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What the command line of ``hearth deploy`` says; None and "" where it says nothing."""

    what: str
    flags: dict[str, Any]
    to: str | None
    dry_run: bool
    wait_seconds: float
    namespace: str
    hearth: str
    data_dir: Path
    kubeconfig: Path | None


def run_deploy(options: DeployOptions) -> int:
    """Deploy and return the exit code; raise UserError with what to do."""
    try:
        target = target_of(options.what)
        settings = _settings(options, target)
        share = None if options.to is None else traffic.percent(options.to)
        if options.dry_run:
            return _dry_run(target, settings, options)
        return asyncio.run(_Deployment(options, target, settings, share).run())
    except (DetectionError, SettingsError, traffic.TrafficError) as error:
        raise UserError(str(error)) from error
    except ApiError as error:
        raise UserError(error.message) from error


def _settings(options: DeployOptions, target: Target) -> DeploySettings:
    """What the flags say over what hearth.toml says, and a name."""
    values = {key: value for key, value in options.flags.items() if value is not None}
    for field in ("env", "secrets"):
        if field in values:
            values[field] = dict(_pair(field, text) for text in values[field])
    settings = settings_of(values, "the command line")
    if target.source is not None and FILE in target.source.paths:
        settings = settings.over(read_file(target.source.text(FILE)))
    if target.source is None:
        settings = DeploySettings(image=target.label).over(settings)
    if settings.name:
        return settings
    return DeploySettings(name=service_name(target.label)).over(settings)


def _pair(field: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UserError(f"{field} {text!r}: give NAME=VALUE")
    return name, value


def _dry_run(target: Target, settings: DeploySettings, options: DeployOptions) -> int:
    if target.source is not None:
        print(found_words(found_in(target.source)))
        settings = DeploySettings(image=f"{_LOCAL}/{settings.name}").over(settings)
    print(plan_words(with_settings(new_service(str(settings.name), options.namespace), settings)))
    return 0


class _Deployment:
    """One run of the command, past reading what it was given."""

    def __init__(
        self, options: DeployOptions, target: Target, settings: DeploySettings, share: int | None
    ) -> None:
        self._options, self._target, self._share = options, target, share
        self._settings = settings
        self._name = str(settings.name)
        self._steps = Steps(time.monotonic)

    async def run(self) -> int:
        """Do it step by step; what fails before the apply has changed nothing."""
        if self._target.source is not None:
            await self._build(self._target.source)
        api = access_of_either(self._options.kubeconfig, self._options.data_dir)
        async with KubeClient(api) as client:
            service, older = await self._apply(client)
            watch = Watch(client, self._name, self._options.namespace, older)
            return await self._wait(watch, client, service)

    async def _build(self, source: SourceFolder) -> None:
        application = found_in(source)
        self._steps.say(found_words(application))
        say, options, settings = self._steps.say, self._options, self._settings
        if settings.registry is not None:
            image = await sent_image(options.data_dir, source, application, settings, say)
        elif options.kubeconfig is None:
            name = f"{_LOCAL}/{self._name}"
            image = built_image(options.data_dir, source, application, name, say)
        else:
            raise UserError(
                "a cluster takes images from a registry: say which with --registry HOST/PATH; what "
                "`docker login` knows of it is used"
            )
        self._settings = DeploySettings(image=image).over(settings)

    async def _apply(self, client: KubeClient) -> tuple[Object, str]:
        """Write the Service as it is wanted; again where somebody else wrote in between.

        Beside it comes the name of the revision that a new one is to follow, if there is to be one.
        """
        for _ in range(_TRIES):
            try:
                there = await client.get(KSERVICES, self._name, self._options.namespace)
            except NotFound:
                there = None
            wanted = self._wanted(there)
            if wanted == there:
                self._steps.say(f"{self._name} is as wanted already: no new revision")
                return there, ""
            try:
                if there is None:
                    return await client.create(KSERVICES, wanted), ""
                is_new = wanted["spec"].get("template") != there["spec"].get("template")
                older = newest_revision(there) if is_new else ""
                return await client.update(KSERVICES, wanted), older
            except (AlreadyExists, Conflict):
                continue
        raise UserError(f"{self._name} is changed by others all the time: try again")

    def _wanted(self, there: Object | None) -> Object:
        service = there or new_service(self._name, self._options.namespace)
        wanted = with_settings(service, self._settings)
        if self._share is not None:
            wanted["spec"]["traffic"] = traffic.canary(service, self._share)
        return wanted

    async def _wait(self, watch: Watch, client: KubeClient, service: Object) -> int:
        seconds = self._options.wait_seconds
        ended = await watch.until_over(meta.generation(service), seconds, self._steps.tell)
        if ended.phase == Phase.SERVES:
            if self._settings.domain:
                await self._map(client, self._settings.domain)
            self._steps.done(await client.get(KSERVICES, self._name, self._options.namespace))
            return 0
        self._steps.failed(self._name, ended, seconds, await watch.last_words())
        return 1

    async def _map(self, client: KubeClient, domain: str) -> None:
        """Have a name of the user's own reach the Service, claimed for its namespace."""
        namespace = self._options.namespace
        with contextlib.suppress(AlreadyExists, Forbidden):  # then it is an administrator's to give
            await client.create(CLUSTERDOMAINCLAIMS, claim_of(domain, namespace))
        mapping = domain_of(domain, self._name, namespace)
        await client.apply(DOMAINMAPPINGS, mapping, field_manager="hearth-deploy")
