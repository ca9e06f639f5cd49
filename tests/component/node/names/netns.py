"""A network namespace behind a bridge, as a container is for the node, without any runtime.

Needs root and Debian's iproute2; without, tests are skipped, and fail where
``HEARTH_REQUIRE_SERVERS=1``, as in ``.ci/run``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Namespace:
    """``bridge`` is on this machine, with the address ``gateway``; ``ip`` is inside."""

    bridge: str
    gateway: str
    ip: str
    name: str

    async def python(self, script: str, resolv_conf: Path, **env: str) -> str:
        """What a Python program prints inside, whose ``/etc/resolv.conf`` is that file."""
        mount = f'mount --bind {resolv_conf} /etc/resolv.conf && exec {sys.executable} -S -c "$1"'
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self.name, "unshare", "-m", "sh", "-c", mount, "-", script),
            env={"PATH": os.environ["PATH"], **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            told, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode()
        return told.decode()


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """Made anew, and gone afterwards."""
    word = secrets.token_hex(3)
    number = int(word, 16) % 250 + 1
    made = Namespace(f"ht{word}", f"10.239.{number}.1", f"10.239.{number}.2", f"hearth-test-{word}")
    _need("ip", "unshare")
    try:
        _make(made)
        yield made
    finally:
        _ip("netns", "del", made.name, may_fail=True)
        _ip("link", "del", made.bridge, may_fail=True)


def _make(made: Namespace) -> None:
    inside = ("-n", made.name)
    try:
        _ip("netns", "add", made.name)
    except subprocess.CalledProcessError as error:
        _cannot(f"network namespaces cannot be made here ({error.stderr.strip()})")
    _ip("link", "add", made.bridge, "type", "bridge")
    _ip("addr", "add", f"{made.gateway}/24", "dev", made.bridge)
    _ip("link", "set", made.bridge, "up")
    veth = f"v{made.bridge}"
    _ip("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", made.name)
    _ip("link", "set", veth, "master", made.bridge, "up")
    _ip(*inside, "addr", "add", f"{made.ip}/24", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "route", "add", "default", "via", made.gateway)


def _ip(*words: str, may_fail: bool = False) -> None:
    subprocess.run(["ip", *words], check=not may_fail, capture_output=True, text=True)


def _need(*programs: str) -> None:
    if os.geteuid() != 0:
        _cannot("only root makes network namespaces")
    for program in programs:
        if shutil.which(program) is None:
            _cannot(f"{program} is not installed")


def _cannot(why: str) -> None:
    if os.environ.get("HEARTH_REQUIRE_SERVERS") and os.geteuid() == 0:
        pytest.fail(f"{why}, and HEARTH_REQUIRE_SERVERS is set")
    pytest.skip(why)
