"""``forgejo-runner``: jobs that wait for runners. Source: KEDA's ``forgejo_runner_scaler.go``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hearth.keda.scalers.http import client, get_json
from hearth.keda.scalers.params import AUTH, ENV, param, read_params
from hearth.keda.scalers.polled import parsing, polled
from hearth.keda.scalers.seam import Scaler, ScalerError, TriggerConfig


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of the trigger."""

    token: str = param("token", order=(AUTH, ENV))
    address: str = param("address")
    labels: str = param("labels")
    is_global: bool = param("global", optional=True)
    owner: str = param("owner", optional=True)
    org: str = param("org", optional=True)
    repo: str = param("repo", optional=True)

    def url(self) -> str:
        """Return where jobs are listed: of a repository, an organization, all, or the user."""
        owner, org, repo = (quote(each, safe="") for each in (self.owner, self.org, self.repo))
        place = "admin/runners/jobs" if self.is_global else "user/actions/runners/jobs"
        if org:
            place = f"orgs/{org}/actions/runners/jobs"
        if owner and repo:
            place = f"repos/{owner}/{repo}/actions/runners/jobs"
        return f"{self.address.removesuffix('/')}/api/v1/{place}"


def count_of(found: Any) -> float:
    """Return how many jobs there are; Forgejo has null for none."""
    jobs = [] if found is None else found
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise ScalerError("the answer is no list of jobs")
    return len(jobs)


def make(config: TriggerConfig) -> Scaler:
    """Return the scaler of a trigger; raises ConfigError."""
    with parsing("Forgejo Runner", "forgejo"):
        settings = read_params(Settings, config)
    http = client(config, headers={"Authorization": f"token {settings.token}"})
    asked = {"labels": settings.labels}

    async def fetch() -> float:
        return count_of(await get_json(http, settings.url(), params=asked))

    return polled(
        config,
        "forgejo",
        target=1,
        activation=0,
        fetch=fetch,
        closing=http.aclose,
        doing="error getting jobs of Forgejo",
    )
