"""Asks registries which digests the images of new revisions stand for.

As whoever pulls them will: by the pull secrets of the revision and of its ServiceAccount, then by
docker's logins of this machine. All images of a revision are asked for at once, for at most
``digest-resolution-timeout``. What failed is asked again, ever less often: a registry that comes
back or an image that is pushed is found without anybody's doing. Nothing is asked where
``digest-resolution`` is off.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError
from hearth.kube.meta import Key, Object, key, namespace, uid
from hearth.kube.resources import SECRETS, SERVICEACCOUNTS
from hearth.oci.credentials import Login, logins_for, parse_pull_secret
from hearth.oci.errors import ManifestUnknown, OciError, Unauthorized
from hearth.oci.helpers import machine_logins
from hearth.oci.references import Reference
from hearth.timeouts import time_limit
from serving.api import keys
from serving.api.settings import Settings
from serving.kinds.revision.digests import (
    UNASKED,
    Digests,
    asked_of,
    by_digest,
    missing_message,
    stated,
)

if TYPE_CHECKING:
    import httpx

TOLD_SECONDS = 5.0
"""How long a problem is known though there is a Deployment: a status tells it meanwhile."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 300.0
Secrets = tuple[tuple[str, Login], ...]


class DigestLookups:
    """What registries have said of revisions that have no Deployment yet."""

    def __init__(
        self,
        client: KubeClient,
        *,
        settings: Callable[[], Settings],
        leads: Callable[[Key], bool],
        is_waiting: Callable[[Object], bool],
        docker_config: Path | None,
        spawn: Callable[[str, Awaitable[None]], object],
        told: Callable[[Key], None],
    ) -> None:
        """``told`` hears of each revision of which something new is known.

        ``is_waiting``: it is there, without a Deployment. ``docker_config`` has logins, too.
        """
        self._client = client
        self._settings = settings
        self._leads = leads
        self._is_waiting = is_waiting
        self._docker_config = docker_config
        self._spawn = spawn
        self._told = told
        self._known: dict[Key, tuple[str, Digests]] = {}
        """By revision: which question this answers, and what is known."""
        self._http: httpx.AsyncClient | None = None

    def of(self, revision: Object) -> Digests:
        """Return what is known of a revision; the first question makes somebody ask."""
        asked = asked_of(revision, self._settings())
        if not asked or not self._is_waiting(revision):
            _, last = self._known.get(key(revision), ("", UNASKED))
            if not last.problem:  # else it is asked again, and then forgotten
                self._known.pop(key(revision), None)
            return last
        told = stated(revision, asked)
        if len(told) == len(asked):
            return Digests(told)
        known = self._known.get(key(revision))
        if known is None or known[0] != _asked_as(revision):
            known = self._known[key(revision)] = (_asked_as(revision), Digests(is_pending=True))
            self._spawn("digests", self._look_up(revision, asked, told))
        return known[1]

    async def run(self) -> None:
        """Keep connections until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._http is not None:
                await self._http.aclose()

    async def _look_up(
        self, revision: Object, asked: Mapping[str, Reference], told: Mapping[str, str]
    ) -> None:
        wait, images = FIRST_RETRY_SECONDS, dict(told)
        while True:
            missing = {name: ref for name, ref in asked.items() if name not in images}
            found = await self._ask(revision, missing)
            images |= found.images
            digests = Digests(images, False, found.problem, found.is_missing)
            if not self._is_wanted(revision):
                await asyncio.sleep(TOLD_SECONDS)
                if self._is_ours(revision):
                    del self._known[key(revision)]
                return
            if not self._is_ours(revision):
                return
            self._known[key(revision)] = (_asked_as(revision), digests)
            self._told(key(revision))
            if not digests.problem:
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, LAST_RETRY_SECONDS)

    def _is_wanted(self, revision: Object) -> bool:
        """Whether it waits for the answer, and is ours to look after."""
        return self._leads(key(revision)) and self._is_waiting(revision)

    def _is_ours(self, revision: Object) -> bool:
        """Whether nobody else asks by now, for another revision of the name or once more."""
        return self._known.get(key(revision), ("",))[0] == _asked_as(revision)

    async def _ask(self, revision: Object, asked: Mapping[str, Reference]) -> Digests:
        """Return what the registries say now, of each image at the same time."""
        secrets = await self._secrets(revision)
        seconds = self._settings().deployment.digest_resolution_timeout
        answers = await asyncio.gather(
            *(self._digest(reference, secrets, seconds) for reference in asked.values())
        )
        images: dict[str, str] = {}
        problem, is_missing = "", False
        for (name, reference), answer in zip(asked.items(), answers, strict=True):
            if isinstance(answer, str):
                images[name] = by_digest(reference, answer)
                continue
            is_final = isinstance(answer, ManifestUnknown | Unauthorized)
            if not problem or (is_final and not is_missing):
                problem, is_missing = missing_message(_given(revision, name), str(answer)), is_final
        return Digests(images, False, problem, is_missing)

    async def _digest(
        self, reference: Reference, secrets: Secrets, seconds: float
    ) -> str | Exception:
        from hearth.oci.registry import Repository, client

        if self._http is None:
            self._http = client()
        try:
            async with time_limit(seconds):
                logins = logins_for(reference, secrets)
                if self._docker_config is not None:
                    logins += await machine_logins(self._docker_config, reference)
                return await Repository(self._http, reference, logins).digest(reference.version)
        except TimeoutError:
            host = reference.domain
            return TimeoutError(f'Get "https://{host}/v2/": context deadline exceeded')
        except OciError as error:
            return error

    async def _secrets(self, revision: Object) -> Secrets:
        """Return the logins of all pull secrets; one that is not there gives none (kubelet)."""
        space, spec = namespace(revision), revision["spec"]
        names = [str(each.get("name", "")) for each in spec.get("imagePullSecrets") or ()]
        account = await self._got(SERVICEACCOUNTS, spec.get("serviceAccountName"), space)
        names += [str(each.get("name", "")) for each in account.get("imagePullSecrets") or ()]
        logins: list[tuple[str, Login]] = []
        for name in dict.fromkeys(filter(None, names)):
            secret = await self._got(SECRETS, name, space)
            logins += parse_pull_secret(_decoded(secret.get("data") or {}))
        return tuple(logins)

    async def _got(self, resource: Any, name: str | None, space: str) -> Object:
        try:
            return await self._client.get(resource, name or "default", space)
        except ApiError:
            return {}


def _asked_as(revision: Object) -> str:
    """Tell one question from another: of a revision of the same name, or asked once more."""
    return f"{uid(revision)} {meta.annotations(revision).get(keys.RETRY, '')}"


def _given(revision: Object, container: str) -> str:
    spec = revision["spec"]
    for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        if str(each.get("name", "")) == container:
            return str(each.get("image", ""))
    return ""


def _decoded(data: Mapping[str, str]) -> dict[str, bytes]:
    decoded: dict[str, bytes] = {}
    for name, value in data.items():
        try:
            decoded[name] = base64.b64decode(value)
        except (binascii.Error, ValueError):
            continue
    return decoded
