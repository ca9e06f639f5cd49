"""Node applications: package.json."""

from __future__ import annotations

import json
from typing import Any

from hearth.functions.detection.application import (
    Application,
    Dependencies,
    DetectionError,
    Source,
    command_words,
)

_ENTRIES = ("server.js", "index.js", "server.mjs", "index.mjs")
_LOCKS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
_FUNC = "Knative func"
_FRAMEWORKS = {
    "faas-js-runtime": _FUNC,
    **{"next": "Next.js", "nuxt": "Nuxt", "express": "Express", "fastify": "Fastify"},
    **{"koa": "Koa", "@nestjs/core": "NestJS", "hono": "Hono", "@sveltejs/kit": "SvelteKit"},
}


def detect(source: Source) -> Application | None:
    """Return what package.json starts; DetectionError where it starts nothing."""
    package = _package(source)
    if package is None:
        return None
    scripts, needs = package.get("scripts") or {}, dependencies(source)
    build = (needs.tool if needs else "npm", "run", "build") if scripts.get("build") else ()
    framework = next((label for name, label in _FRAMEWORKS.items() if name in _names(package)), "")
    start = scripts.get("start")
    if start:
        why = f"package.json starts it by `{start}`"
        return Application(
            "node",
            _start(start, framework),
            framework=framework,
            dependencies=needs,
            build=build,
            reasons=(why,),
        )
    for entry in (package.get("main"), *_ENTRIES):
        if entry and str(entry).removeprefix("./") in source.paths:
            why = f"{entry} is the file to start"
            return Application(
                "node",
                ("node", str(entry)),
                framework=framework,
                dependencies=needs,
                build=build,
                reasons=(why,),
            )
    raise DetectionError(
        f"{source.label}/package.json has neither a start script nor a main file: add "
        '`"scripts": {"start": "node FILE"}`'
    )


def _start(start: str, framework: str) -> tuple[str, ...]:
    """The start script. Without npm in between a program gets signals itself, 200 ms earlier."""
    words = command_words(start)
    if words[0] == "node":
        return words
    if framework == _FUNC:  # whose middleware knows no other variable
        return ("/bin/sh", "-c", 'export FUNC_PORT="$PORT"; exec npm start --silent')
    return ("npm", "start", "--silent")


def dependencies(source: Source) -> Dependencies | None:
    """Return what installs the packages that package.json names, if it names any."""
    package = _package(source) or {}
    with_dev = bool((package.get("scripts") or {}).get("build") and package.get("devDependencies"))
    if not _names(package) and not with_dev:
        return None
    lock = next((name for name in _LOCKS if name in source.paths), "")
    return Dependencies(_LOCKS.get(lock, "npm"), "package.json", with_dev=with_dev)


def _names(package: dict[str, Any]) -> dict[str, Any]:
    return package.get("dependencies") or {}


def _package(source: Source) -> dict[str, Any] | None:
    if "package.json" not in source.paths:
        return None
    try:
        package = json.loads(source.text("package.json"))
    except ValueError as error:
        raise DetectionError(f"{source.label}/package.json: {error}") from error
    if not isinstance(package, dict):
        raise DetectionError(f"{source.label}/package.json holds no object")
    return package
