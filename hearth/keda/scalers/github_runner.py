"""``github-runner``: jobs of GitHub Actions that wait for or run on runners with certain labels.

Source: KEDA's ``github_runner_scaler.go``. While GitHub's rate limit is used up, the last length
that was read in full stands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import jwt

from hearth.keda.scalers.http import Answer, answer, client
from hearth.keda.scalers.params import AUTH, ENV, METADATA, param, read_params
from hearth.keda.scalers.polled import need, parsing, polled
from hearth.keda.scalers.seam import Reading, Scaler, ScalerError, TriggerConfig
from hearth.kube.clock import Clock, parse_rfc3339, rfc3339, wall_clock

_BOTH = (METADATA, ENV)
_OF_EVERY_RUNNER = ("self-hosted", "linux", "x64")
_WAITING = ("queued", "in_progress")
_PAGE = 30
_MOST_KEPT = 5000
_HEADERS = {"Accept": "application/vnd.github.v3+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    api: str = param("githubApiURL", order=_BOTH, default="https://api.github.com")
    owner: str = param("owner", order=_BOTH)
    scope: str = param("runnerScope", order=_BOTH, enum=("org", "ent", "repo"))
    token: str = param("personalAccessToken", order=(AUTH,), optional=True)
    repos: list[str] = param("repos", order=_BOTH, optional=True)
    labels: list[str] = param("labels", order=_BOTH, optional=True)
    no_default_labels: bool = param("noDefaultLabels", order=_BOTH, default="false")
    etags: bool = param("enableEtags", order=_BOTH, default="false")
    match_unlabeled: bool = param(
        "matchUnlabeledJobsWithUnlabeledRunners", order=_BOTH, default="false"
    )
    target: int = param("targetWorkflowQueueLength", order=_BOTH, default="1")
    application: int = param("applicationID", order=_BOTH, optional=True)
    installation: int = param("installationID", order=_BOTH, optional=True)
    key: str = param("appKey", order=(AUTH,), optional=True)

    def check(self) -> None:
        """Refuse a caller that is named by half: an app needs its id, installation and key."""
        needed = {
            "applicationID": self.application,
            "installationID": self.installation,
            "appKey": self.key,
        }
        if any(needed.values()):
            need(needed)

    def matches(self, job: Iterable[str]) -> bool:
        """Return whether the runners have all labels that a job asks for."""
        asked = {label.lower() for label in job}
        own = {label.lower() for label in self.labels}
        if self.match_unlabeled and not asked:
            return not own
        return asked <= own | (set() if self.no_default_labels else set(_OF_EVERY_RUNNER))

    def repositories(self) -> str:
        """Return the address of the owner's repositories."""
        kind = "users" if self.scope == "repo" else "orgs"
        return f"{self.api}/{kind}/{quote(self.owner, safe='')}/repos"


class Limited(ScalerError):
    """The rate limit is used up."""


class GitHub:
    """Asks GitHub as an app or by a token, no more than it allows."""

    def __init__(self, config: TriggerConfig, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._http = client(config, headers=_HEADERS)
        self.close = self._http.aclose
        self._token, self._token_until = settings.token, float("inf")
        if settings.application:
            self._token_until = 0.0
        self._limited_until = 0.0
        self._kept: dict[str, tuple[str, Any]] = {}

    async def get(self, url: str) -> Any:
        """Return what GitHub has, None where it is not found; raises Limited."""
        if self._clock() < self._limited_until:
            raise Limited(f"GitHub API rate limit exceeded, reset time {self._until()}")
        kept = self._kept.get(url)
        headers = {"If-None-Match": kept[0]} if kept else {}
        found = await self._ask(url, headers)
        if found.status == 304 and kept:
            return kept[1]
        if found.status == 404:
            return None
        if found.status != 200:
            if self._clock() < self._limited_until:
                raise Limited(f"GitHub API rate limit exceeded, reset time {self._until()}")
            raise ScalerError(
                f"the GitHub REST API returned error. url: {url} status: {found.status}"
            )
        if self._settings.etags and (tag := found.headers.get("ETag")):
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[url] = (tag, found.json())
        return found.json()

    def _until(self) -> str:
        return rfc3339(self._limited_until)

    async def _ask(self, url: str, headers: dict[str, str]) -> Answer:
        if self._clock() >= self._token_until:
            await self._renew()
        who = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        found = await answer(self._http, url, headers={**headers, **who}, ok=range(200, 600))
        self._note_limit(found.headers)
        return found

    def _note_limit(self, headers: httpx.Headers) -> None:
        wait, left = headers.get("Retry-After", ""), headers.get("X-RateLimit-Remaining", "")
        reset = headers.get("X-RateLimit-Reset", "")
        if wait.isdecimal():
            self._limited_until = self._clock() + int(wait)
        elif left == "0" and reset.isdecimal():
            self._limited_until = float(reset)

    async def _renew(self) -> None:
        """Get the token of the app's installation."""
        settings, now = self._settings, int(self._clock())
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(settings.application)}
        try:
            signed = jwt.encode(claims, settings.key, "RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise ScalerError("appKey is no private key of RSA in PEM") from None
        url = f"{settings.api}/app/installations/{settings.installation}/access_tokens"
        who = {"Authorization": f"Bearer {signed}"}
        found = (await answer(self._http, url, method="POST", headers=who)).json()
        self._token = str(found["token"])
        self._token_until = parse_rfc3339(found["expires_at"]) - 60


async def _repositories(github: GitHub, settings: Settings) -> list[str]:
    if settings.repos:
        return settings.repos
    names: list[str] = []
    page = 1
    while True:
        found = await github.get(f"{settings.repositories()}?page={page}") or []
        names += [each["name"] for each in found]
        if len(found) < _PAGE:
            return names
        page += 1


async def _jobs(github: GitHub, settings: Settings) -> AsyncIterator[dict[str, Any]]:
    """All jobs of workflows that wait or run."""
    base = f"{settings.api}/repos/{quote(settings.owner, safe='')}"
    for repo in await _repositories(github, settings):
        runs = f"{base}/{quote(repo, safe='')}/actions/runs"
        for status in _WAITING:
            found = await github.get(f"{runs}?status={status}&per_page=100") or {}
            for run in found.get("workflow_runs", ()):
                if run["status"] in _WAITING:
                    where = f"{base}/{quote(run['repository']['name'], safe='')}/actions/runs"
                    page = await github.get(f"{where}/{run['id']}/jobs?per_page=100") or {}
                    for job in page.get("jobs", ()):
                        yield job


def make(config: TriggerConfig, clock: Clock = wall_clock) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("GitHub Runner", "github runner"):
        settings = read_params(Settings, config)
    github = GitHub(config, settings, clock)
    last: list[Reading] = []

    async def fetch() -> Reading:
        try:
            jobs = [job async for job in _jobs(github, settings) if job["status"] in _WAITING]
            count = sum(settings.matches(job["labels"]) for job in jobs)
            last[:] = [Reading(count, count >= settings.target)]
        except Limited:
            if not last:
                raise
        return last[0]

    return polled(
        config,
        f"github-runner-{settings.owner}",
        target=settings.target,
        activation=settings.target,
        fetch=fetch,
        closing=github.close,
        doing="error getting workflow queue length",
    )
