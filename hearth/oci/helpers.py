"""Logins from where docker keeps them: its config file and the credential helpers named there."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hearth.oci.credentials import (
    DockerConfig,
    Login,
    logins_for,
    parse_docker_config,
    parse_helper_answer,
)
from hearth.oci.references import Reference

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_SECONDS = 10.0


def docker_config(env: Mapping[str, str], home: Path) -> Path:
    """Where docker keeps its logins."""
    return Path(env.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


async def machine_logins(config: Path, reference: Reference) -> list[Login]:
    """What docker's config at that path gives for an image; a helper that fails gives nothing."""
    try:
        known = parse_docker_config(await asyncio.to_thread(config.read_bytes))
    except OSError:
        known = DockerConfig()
    found = logins_for(reference, known.logins)
    asked = known.helper_for(reference)
    if asked is not None:
        login = await _ask(*asked)
        found = [login, *found] if login is not None else found
    return found


async def _ask(helper: str, server: str) -> Login | None:
    """Runs ``docker-credential-HELPER get`` (docker-credential-helpers, README)."""
    if not _NAME.fullmatch(helper):
        return None
    program = f"docker-credential-{helper}"
    try:
        asked = await asyncio.to_thread(
            subprocess.run,
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("no credential helper", extra={"program": program, "error": str(error)})
        return None
    return parse_helper_answer(asked.stdout) if asked.returncode == 0 else None
