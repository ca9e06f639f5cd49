"""func.yaml: read as Knative func's schema has it, written without what it does not say."""

from __future__ import annotations

import json

import pytest
import yaml

from hearth.functions.projects.project import Project, ProjectError, read_project, write_project
from hearth.functions.projects.templates import LANGUAGES, files

WHOLE = """\
specVersion: 0.36.0
name: mail
runtime: python
registry: ghcr.io/me
namespace: shop
created: 2026-01-01T00:00:00Z
invoke: cloudevent
build:
  builder: pack
  pvcSize: 256Mi
run:
  volumes:
  - secret: keys
    path: /keys
  - persistentVolumeClaim: {claimName: data, readOnly: true}
    path: /data
  - emptyDir: {medium: Memory, sizeLimit: 1Mi}
    path: /tmp
  envs:
  - name: A
    value: '1'
  - value: '{{ secret:all }}'
deploy:
  annotations: {a: b}
  options:
    scale: {min: 1, max: 3, metric: rps, target: 50.5, utilization: 80}
    resources:
      requests: {cpu: 100m, memory: 32Mi}
      limits: {cpu: '1', memory: 64Mi, concurrency: 5}
  labels:
  - key: example.com/team
    value: '{{ env:TEAM }}'
  healthEndpoints: {liveness: /alive, readiness: /ready}
  serviceAccountName: robot
  subscriptions:
  - source: default
    filters: {type: com.example}
"""


def test_all_fields_are_read_and_written() -> None:
    project = read_project(WHOLE)
    assert project.created == "2026-01-01T00:00:00Z"
    assert read_project(write_project(project)) == project
    assert yaml.safe_load(write_project(project)) == {
        **yaml.safe_load(WHOLE),
        "created": "2026-01-01T00:00:00Z",
    }


def test_what_is_not_said_is_not_written() -> None:
    assert write_project(Project(name="a", created="now")) == (
        "specVersion: 0.36.0\nname: a\ncreated: now\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "func.yaml"),
        ("- a", "says nothing"),
        ("name: a", "created: Field required"),
        ("created: x\nname: A B", "name: String should match"),
        ("created: x\ncolour: red", "there is no field colour"),
        ("created: x\nrun: {envs: [{name: 1a}]}", r"run.envs.0.name"),
        ("created: x\ndeploy: {options: {scale: {min: -1}}}", "deploy.options.scale.min"),
        ("created: x\ndeploy: {labels: [{key: -}]}", "deploy.labels.0.key"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message):
        read_project(text)


@pytest.mark.parametrize(
    ("language", "template"), [(each, name) for each in LANGUAGES for name in LANGUAGES[each]]
)
def test_templates_are_projects(language: str, template: str) -> None:
    made = files("mail", language, template, "now")
    assert read_project(made["func.yaml"]).name == "mail"
    if language == "python":
        compile(made["function/func.py"], "func.py", "exec")
    else:
        assert json.loads(made["package.json"])["scripts"]["start"].endswith(
            "faas-js-runtime ./index.js"
        )


def test_a_template_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        files("mail", "python", "grpc", "now")
