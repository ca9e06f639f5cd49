"""``hearth deploy``: finds out what was given, builds it, applies it, waits, prints the URL."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

from hearth.cli.access import access_of_either
from hearth.cli.deploy.building import made_image
from hearth.cli.deploy.wanted import DeployOptions, Wanted, wanted
from hearth.cli.deploy.watching import Watch
from hearth.cli.deploy.words import (
    OUTPUTS,
    Steps,
    claim_of,
    curl_words,
    domain_of,
    found_words,
    plan_words,
)
from hearth.cli.errors import UserError
from hearth.cli.images import LOCAL, found_in
from hearth.cli.services import detour_to
from hearth.functions.building.sources import SourceFolder
from hearth.functions.deploying.progress import Phase, newest_revision
from hearth.functions.deploying.settings import SettingsError
from hearth.functions.deploying.traffic import TrafficError
from hearth.functions.detection.application import DetectionError
from hearth.knative.resources import CLUSTERDOMAINCLAIMS, DOMAINMAPPINGS, KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import AlreadyExists, ApiError, Conflict, Forbidden, NotFound
from hearth.kube.meta import Object

_MANAGER = "hearth-deploy"
_TRIES = 5


def run_deploy(options: DeployOptions) -> int:
    """Deploy and return the exit code; raise UserError with what to do."""
    if options.output not in OUTPUTS:
        raise UserError(f"--output {options.output!r}: give {', '.join(OUTPUTS)}")
    try:
        what = wanted(options)
        if options.dry_run:
            return _dry_run(what)
        return asyncio.run(_Deployment(options, what).run())
    except (DetectionError, SettingsError, TrafficError) as error:
        raise UserError(str(error)) from error
    except ApiError as error:
        raise UserError(error.message) from error


def _dry_run(what: Wanted) -> int:
    if what.target.source is not None:
        print(found_words(found_in(what.target.source, what.settings.build or "")))
        what = what.with_image(f"{LOCAL}/{what.name}")
    if what.settings.bind:
        from hearth.cli.deploy.binding import binding_words

        print("\n".join(binding_words(what)))
    print(plan_words(what.shared(what.service(None), None)))
    return 0


class _Deployment:
    """One run of the command, past reading what it was given."""

    def __init__(self, options: DeployOptions, what: Wanted) -> None:
        self._options, self._wanted = options, what
        self._steps = Steps(time.monotonic, options.output)

    async def run(self) -> int:
        """Do it step by step; what fails before the apply has changed nothing."""
        api = access_of_either(self._options.kubeconfig, self._options.data_dir)
        async with KubeClient(api) as client:
            service, older = await self._written(client)
            watch = Watch(client, self._wanted.name, self._wanted.namespace, older)
            return await self._wait(watch, client, service)

    async def _written(self, client: KubeClient) -> tuple[Object, str]:
        """Build what is to be built, and write the Service, bound to what it is bound to."""
        bindings = None
        if self._wanted.settings.bind or self._options.unbind:
            from hearth.cli.deploy.binding import Bindings  # not many are bound to anything

            bindings = await Bindings.of(client, self._options, self._wanted)
        if self._wanted.target.source is not None:
            await self._build(self._wanted.target.source)
        if bindings is None:
            return await self._apply(client)
        service = self._wanted.service(await self._there(client))
        return await bindings.around(service, partial(self._apply, client), self._steps.say)

    async def _build(self, source: SourceFolder) -> None:
        options, settings = self._options, self._wanted.settings
        application = found_in(source, settings.build or "")
        self._steps.say(found_words(application))
        image, port = await made_image(
            source,
            application,
            settings,
            data_dir=options.data_dir,
            kubeconfig=options.kubeconfig,
            say=self._steps.say,
        )
        self._wanted = self._wanted.with_image(image, port)

    async def _there(self, client: KubeClient) -> Object | None:
        try:
            return await client.get(KSERVICES, self._wanted.name, self._wanted.namespace)
        except NotFound:
            return None

    async def _apply(
        self, client: KubeClient, change: Callable[[Object], Object] = lambda service: service
    ) -> tuple[Object, str]:
        """Write the Service as it is wanted; again where somebody else wrote in between.

        Beside it comes the name of the revision that a new one is to follow, if there is to be one.
        """
        what = self._wanted
        for _ in range(_TRIES):
            there = await self._there(client)
            wanted = what.shared(change(what.service(there)), there)
            if wanted == there:
                self._steps.nothing_new(what.name)
                return there, ""
            try:
                if there is None:
                    return await client.create(KSERVICES, wanted), ""
                is_new = wanted["spec"].get("template") != there["spec"].get("template")
                older = newest_revision(there) if is_new else ""
                return await client.update(KSERVICES, wanted), older
            except (AlreadyExists, Conflict):
                continue
        raise UserError(f"{what.name} is changed by others all the time: try again")

    async def _wait(self, watch: Watch, client: KubeClient, service: Object) -> int:
        seconds, what = self._options.wait_seconds, self._wanted
        ended = await watch.until_over(meta.generation(service), seconds, self._steps.tell)
        if ended.phase != Phase.SERVES:
            self._steps.failed(what.name, ended, seconds, await watch.last_words())
            return 1
        if what.settings.domain:
            await self._map(client, what.settings.domain)
        if what.project is not None:
            from hearth.cli.deploy.subscribing import subscribe
            from hearth.functions.projects.manifest import triggers

            left = max(seconds - self._steps.seconds, 1.0)
            await subscribe(client, triggers(what.project, service), left, self._steps.say)
        ready = await client.get(KSERVICES, what.name, what.namespace)
        detour = ""
        if self._options.kubeconfig is not None:
            detour = await detour_to(client, (ready.get("status") or {}).get("url") or "")
        self._steps.done(ready, detour and curl_words(ready["status"]["url"], detour))
        return 0

    async def _map(self, client: KubeClient, domain: str) -> None:
        """Have a name of the user's own reach the Service, claimed for its namespace."""
        namespace = self._wanted.namespace
        with contextlib.suppress(AlreadyExists, Forbidden):  # then it is an administrator's to give
            await client.create(CLUSTERDOMAINCLAIMS, claim_of(domain, namespace))
        mapping = domain_of(domain, self._wanted.name, namespace)
        await client.apply(DOMAINMAPPINGS, mapping, field_manager=_MANAGER)
