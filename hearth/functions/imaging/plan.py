"""What an application's image says and where things lie in it. No I/O.

``/app`` has the files, ``/packages`` what pip installs (on PYTHONPATH), ``/app/node_modules`` what
npm does, ``/runner`` what is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hearth.functions.building.errors import BuildError
from hearth.functions.detection.application import Application
from hearth.oci.manifests import ImageConfig

FILES, PACKAGES, RUNNERS = "app", "packages", "runner"
USER = "65532"  # nobody's: what distroless images call nonroot
PORT = 8080

BASES = {
    "python": "docker.io/library/python:3.11-slim",
    "node": "docker.io/library/node:22-slim",
    "go": "gcr.io/distroless/static-debian12",
    "rust": "gcr.io/distroless/cc-debian12",
}
"""What an image is built on where nothing else is said, by what the application is."""

CARRIED = f"{RUNNERS}/carried"
"""Where modules of Hearth's lie that an application imports."""
_ENDING = f"{RUNNERS}/ending"
_PYTHON_ENDS = b"""import os, signal, sys
if os.getpid() == 1:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
"""
_NODE_ENDS = b"""if (process.pid === 1) process.on('SIGTERM', () => {
  if (process.listenerCount('SIGTERM') === 1) process.exit(143);
});
"""
ENDINGS = {
    "python": (f"{_ENDING}/sitecustomize.py", _PYTHON_ENDS),
    "node": (f"{_ENDING}/ending.js", _NODE_ENDS),
}
"""A file by which a program without a handler of its own ends by SIGTERM.

The kernel keeps it from the first process of a container otherwise, and a pod would hang about for
all the time that Knative gives its last requests.
"""

_LANGUAGES = {"function": "python", "static": "python"}
_WHEELS = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("manylinux_2_17", "manylinux2014", "manylinux_2_28", "manylinux_2_34")


def language(application: Application) -> str:
    """Return what the base has to have: python, node, go or rust."""
    needs = application.dependencies
    if application.kind == "procfile":
        return "node" if needs is not None and needs.tool in ("npm", "pnpm", "yarn") else "python"
    return _LANGUAGES.get(application.kind, application.kind)


def image_config(application: Application, base: ImageConfig) -> ImageConfig:
    """Return how the image runs: as its base, with the application's command, place and user."""
    path = base.env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env = {**base.env, "PORT": str(PORT)}
    if language(application) == "python":
        carried = [f"/{CARRIED}"] if application.carries else []
        before = filter(None, [base.env.get("PYTHONPATH", "")])
        python = [f"/{PACKAGES}", f"/{_ENDING}", *carried, *before]
        env |= {"PYTHONPATH": ":".join(python), "PATH": f"/{PACKAGES}/bin:{path}"}
        env |= {"PYTHONUNBUFFERED": "1"}
    if language(application) == "node":
        options = (base.env.get("NODE_OPTIONS", ""), f"--require=/{ENDINGS['node'][0]}")
        env |= {"NODE_OPTIONS": " ".join(filter(None, options))}
    return replace(
        base,
        entrypoint=command(application),
        cmd=(),
        env=env,
        workdir=f"/{FILES}",
        user=USER,
        ports=(PORT,),
        labels={**base.labels, "dev.hearth.framework": application.label},
    )


def command(application: Application) -> tuple[str, ...]:
    """Return the command in the image; words with ``$PORT`` in them go through a shell."""
    words = application.command
    if application.runner:
        return ("python3", f"/{RUNNERS}/{application.runner}.py", *words)
    if words[0] == "python":
        words = ("python3", *words[1:])  # which is there whatever the base
    if words[0] != "/bin/sh" and any("$PORT" in word for word in words):
        quoted = " ".join(f'"{word}"' for word in words[1:])
        return ("/bin/sh", "-c", f'exec "$0" {quoted}', words[0])
    return words


def python_version(env: Mapping[str, str], ours: str) -> str:
    """Return a base's Python as ``3.11``: Python's own images say it in PYTHON_VERSION."""
    return ".".join(env.get("PYTHON_VERSION", ours).split(".")[:2])


def pip_platforms(architecture: str) -> list[str]:
    """Return pip's options for wheels that run on another architecture's glibc."""
    if architecture not in _WHEELS:
        raise BuildError(f"there are no wheels for linux/{architecture}")
    return [f"--platform={glibc}_{_WHEELS[architecture]}" for glibc in _GLIBC]


def node_cpu(architecture: str) -> str:
    """Return what Node calls an architecture."""
    return {"amd64": "x64", "386": "ia32"}.get(architecture, architecture)


def go_environment(architecture: str) -> list[str]:
    """Return what has Go compile a static program for an architecture; others pass it over."""
    return ["CGO_ENABLED=0", "GOOS=linux", f"GOARCH={architecture}"]
