"""What `hearth func create` writes: projects as Knative func runs them, too."""

from __future__ import annotations

from hearth.functions.projects.project import Project, write_project

LANGUAGES = {"python": ("http", "cloudevents"), "node": ("http", "cloudevents")}

ELSEWHERE = {
    "typescript": "projects of Knative func's `func create -l typescript` run here as they are",
    "go": "a folder with go.mod and a `package main` that listens on $PORT is deployed as it is",
    "rust": "a folder with Cargo.toml and a program that listens on $PORT is deployed as it is",
    "quarkus": "a folder with a Dockerfile is deployed as it is",
    "springboot": "a folder with a Dockerfile is deployed as it is",
}
"""Languages of Knative func that no template is here for, and what there is in its place."""

_HTTP = '''"""Answers HTTP requests (ASGI)."""

import logging


def new():
    """Called once in each process: the instance that answers its requests."""
    return Function()


class Function:
    async def handle(self, scope, receive, send):
        """Answers a request: an ASGI application."""
        logging.info("%s %s", scope["method"], scope["path"])
        headers = [[b"content-type", b"text/plain"]]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"OK"})

    def start(self, cfg):
        """Called before the first request, with the environment."""

    def stop(self):
        """Called when the process is about to end."""

    def alive(self):
        """Whether it is to be left running."""
        return True, "Alive"

    def ready(self):
        """Whether it may have requests."""
        return True, "Ready"
'''

_EVENTS = '''"""Takes CloudEvents and may answer each with one."""

import logging

from cloudevents.core.v1.event import CloudEvent


def new():
    """Called once in each process: the instance that takes its events."""
    return Function()


class Function:
    async def handle(self, scope, receive, send):
        """Takes the event in ``scope["event"]``; what is sent is the answer."""
        event = scope["event"]
        logging.info("%s of %s", event.get_type(), event.get_source())
        attributes = {"type": "function.response", "source": "function", "id": event.get_id()}
        await send(CloudEvent(attributes=attributes, data={"message": "OK"}))

    def start(self, cfg):
        """Called before the first event, with the environment."""

    def stop(self):
        """Called when the process is about to end."""
'''

_PYPROJECT = """[project]
name = "function"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = [{dependencies}]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""

_IGNORED = "__pycache__/\n.venv/\n.func/\nnode_modules/\n"

_NODE_HTTP = """// Answers HTTP requests: https://github.com/nodeshift/faas-js-runtime
const handle = async (context, body) => {
  context.log.info(`${context.method} ${JSON.stringify(body)}`);
  return { body: "OK", headers: { "content-type": "text/plain" } };
};

module.exports = { handle };
"""

_NODE_EVENTS = """// Takes CloudEvents and may answer each with one: https://github.com/nodeshift/faas-js-runtime
const { CloudEvent } = require("cloudevents");

const handle = async (context, event) => {
  context.log.info(`${event.type} of ${event.source}`);
  return new CloudEvent({
    type: "function.response", source: "function", data: { message: "OK" },
  });
};

module.exports = { handle };
"""

_PACKAGE = """{
  "name": "function",
  "version": "0.1.0",
  "main": "index.js",
  "scripts": {
    "start": "FUNC_LOG_LEVEL=info faas-js-runtime ./index.js"
  },
  "dependencies": {
%s    "faas-js-runtime": "^3.0.2"
  }
}
"""


def files(name: str, language: str, template: str, created: str) -> dict[str, str]:
    """Return a new project's files by path; KeyError where there is no such template."""
    if template not in LANGUAGES[language]:
        raise KeyError(template)
    is_events = template == "cloudevents"
    project = Project(name=name, runtime=language, created=created)
    project.invoke = "cloudevent" if is_events else None
    rest = (_node if language == "node" else _python)(is_events)
    return {"func.yaml": write_project(project), ".gitignore": _IGNORED, **rest}


def _python(is_events: bool) -> dict[str, str]:
    dependencies = '"cloudevents>=2,<3"' if is_events else ""
    return {
        "function/__init__.py": "from .func import new\n",
        "function/func.py": _EVENTS if is_events else _HTTP,
        "pyproject.toml": _PYPROJECT.format(dependencies=dependencies),
    }


def _node(is_events: bool) -> dict[str, str]:
    return {
        "index.js": _NODE_EVENTS if is_events else _NODE_HTTP,
        "package.json": _PACKAGE % ('    "cloudevents": "^10.0.0",\n' if is_events else ""),
    }
