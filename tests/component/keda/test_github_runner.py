"""github-runner, against the answers that GitHub documents."""

from __future__ import annotations

import dataclasses
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hearth.keda.scalers import github_runner
from hearth.keda.scalers.seam import Reading, ScalerError, TriggerConfig
from tests.component.keda.scaling import read, scaler, trigger
from tests.component.keda.webserver import Asked, Server, answering

TOKEN = "ghp_secret"
WAITING, RUNNING, DONE = "queued", "in_progress", "completed"
Jobs = dict[str, list[tuple[str, list[str]]]]


class GitHub:
    """An owner with repositories, each with runs, each with jobs: status and labels."""

    def __init__(self, **repositories: Jobs) -> None:
        self.repositories = repositories
        self.headers: dict[str, str] = {}
        self.status = 200
        self.tags = False

    def __call__(self, asked: Asked) -> Any:
        if self.status != 200:
            return web.json_response({"message": TOKEN}, status=self.status, headers=self.headers)
        found = self._found(asked)
        if found is None:
            return None
        headers = dict(self.headers)
        if self.tags:
            headers["ETag"] = f'"{hash(str(found))}"'
            if asked.headers.get("if-none-match") == headers["ETag"]:
                return web.Response(status=304, headers=headers)
        return web.json_response(found, headers=headers)

    def _found(self, asked: Asked) -> Any:
        parts = asked.path.strip("/").split("/")
        if parts[0] in ("orgs", "users"):
            names = sorted(self.repositories)
            start = (int(asked.query["page"]) - 1) * 30
            return [{"name": name} for name in names[start : start + 30]]
        if parts[0] == "app":
            return {"token": "installed", "expires_at": "2030-01-01T00:00:00Z"}
        if parts[2] not in self.repositories:
            return None
        runs = self.repositories[parts[2]]
        if parts[-1] == "jobs":
            listed = [{"status": status, "labels": labels} for status, labels in runs[parts[-2]]]
            return {"total_count": len(listed), "jobs": listed}
        found = [self._run(parts[2], name, asked.query["status"]) for name in runs]
        return {"total_count": len(found), "workflow_runs": [run for run in found if run]}

    def _run(self, repository: str, name: str, status: str) -> Any:
        is_waiting = any(each == WAITING for each, _ in self.repositories[repository][name])
        own = WAITING if is_waiting else RUNNING
        return own == status and {"id": name, "status": own, "repository": {"name": repository}}


def runners(server: Server, **said: str) -> TriggerConfig:
    written = {"githubApiURL": server.url, "owner": "acme", "runnerScope": "org", **said}
    config = trigger("github-runner", **written)
    return dataclasses.replace(config, auth={"personalAccessToken": TOKEN})


async def test_jobs_that_wait_or_run_are_counted_in_all_repositories():
    one = {"1": [(WAITING, ["self-hosted"]), (DONE, ["self-hosted"]), (WAITING, ["gpu"])]}
    two: Jobs = {"2": [(RUNNING, [])]}
    many = {f"r{number}": Jobs() for number in range(60)}
    async with answering(GitHub(one=one, two=two, **many)) as server:
        assert await read(runners(server)) == Reading(2, True)
        assert (await read(runners(server, labels="gpu"))).value == 3
        config = runners(server, targetWorkflowQueueLength="3")
        assert await read(config) == Reading(2, False)
        assert await read(runners(server, repos="two,gone")) == Reading(1, True)
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_while_the_limit_is_used_up_the_last_length_stands_and_nothing_is_asked():
    github = GitHub(one={"1": [(WAITING, [])]})
    now = 1000.0
    async with answering(github) as server:
        made = github_runner.make(runners(server, repos="one"), lambda: now)
        assert (await made.read()).value == 1
        github.status = 403
        github.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1100"}
        assert (await made.read()).value == 1
        asked = len(server.asked)
        assert (await made.read()).value == 1
        assert len(server.asked) == asked
        github.status, github.headers, now = 200, {}, 1100.0
        github.repositories["one"] = {}
        assert (await made.read()).value == 0
        await made.close()


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "60"}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1100"}]
)
async def test_a_limit_that_was_used_up_before_the_first_length_is_an_error(headers):
    github = GitHub()
    github.status, github.headers = 429, headers
    async with answering(github) as server:
        made = github_runner.make(runners(server), lambda: 1000.0)
        with pytest.raises(ScalerError, match="GitHub API rate limit exceeded, reset time 1970-"):
            await made.read()
        await made.close()


async def test_what_has_not_changed_is_not_sent_again():
    github = GitHub(one={"1": [(WAITING, [])]})
    github.tags = True
    async with answering(github) as server, scaler(runners(server, enableEtags="true")) as made:
        assert (await made.read()).value == 1
        asked = len(server.asked)
        assert (await made.read()).value == 1
        assert all("if-none-match" in each.headers for each in server.asked[asked:])
        github.repositories["one"] = {"1": [(WAITING, []), (WAITING, [])]}
        assert (await made.read()).value == 2


@pytest.mark.parametrize(("status", "words"), [(401, "status: 401"), (500, "status: 500")])
async def test_a_refusal_is_told_without_the_token(status, words):
    github = GitHub()
    github.status = status
    async with answering(github) as server:
        with pytest.raises(ScalerError, match=words) as failure:
            await read(runners(server))
    assert TOKEN not in str(failure.value)


def private_key() -> tuple[rsa.RSAPrivateKey, str]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return made, text.decode()


async def test_an_app_asks_with_the_token_of_its_installation():
    key, text = private_key()
    app = {"applicationID": "7", "installationID": "8", "repos": "one"}
    async with answering(GitHub(one={"1": [(WAITING, [])]})) as server:
        config = dataclasses.replace(runners(server, **app), auth={"appKey": text})
        async with scaler(config) as made:
            assert (await made.read()).value == 1
            assert (await made.read()).value == 1
    assert [each.path for each in server.asked].count("/app/installations/8/access_tokens") == 1
    signed = server.asked[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(signed, key.public_key(), ["RS256"])
    assert claims["iss"] == "7"
    assert server.asked[1].headers["authorization"] == "Bearer installed"


async def test_a_key_that_is_none_is_told_and_not_shown():
    app = {"applicationID": "7", "installationID": "8"}
    async with answering(GitHub()) as server:
        config = dataclasses.replace(runners(server, **app), auth={"appKey": "my-secret-key"})
        with pytest.raises(ScalerError, match="appKey is no private key of RSA in PEM") as failure:
            await read(config)
    assert "my-secret-key" not in str(failure.value)
