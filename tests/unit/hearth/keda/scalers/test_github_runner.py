"""Which jobs runners can take."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.github_runner import Settings
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.seam import TriggerConfig


def settings(**said):
    said = {"owner": "a b", "runnerScope": "org", **said}
    return read_params(Settings, TriggerConfig("github-runner", said))


@pytest.mark.parametrize(
    ("said", "job", "matches"),
    [
        ({}, [], True),
        ({}, ["self-hosted", "Linux"], True),
        ({}, ["gpu"], False),
        ({"labels": "GPU"}, ["self-hosted", "gpu"], True),
        ({"labels": "gpu", "noDefaultLabels": "true"}, ["self-hosted", "gpu"], False),
        ({"matchUnlabeledJobsWithUnlabeledRunners": "true"}, [], True),
        ({"labels": "gpu", "matchUnlabeledJobsWithUnlabeledRunners": "true"}, [], False),
        ({"labels": "gpu", "matchUnlabeledJobsWithUnlabeledRunners": "true"}, ["gpu"], True),
    ],
)
def test_labels(said, job, matches):
    assert settings(**said).matches(job) is matches


@pytest.mark.parametrize(("scope", "kind"), [("org", "orgs"), ("ent", "orgs"), ("repo", "users")])
def test_where_repositories_are_listed(scope, kind):
    listed = settings(runnerScope=scope).repositories()
    assert listed == f"https://api.github.com/{kind}/a%20b/repos"
