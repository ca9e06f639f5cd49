"""Who one is at a registry: docker's config, and pull secrets of Kubernetes. Pure.

What matches is kubelet's rule, which takes docker's own keys as well: a key names a host, which
may hold ``*`` for parts between its dots, perhaps a port and the beginning of a path.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.oci.references import Reference

_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
HUB_KEY = "https://index.docker.io/v1/"
"""How docker's config names Docker Hub."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password; or, without a user, a token to get others with."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """``config.json`` of docker: logins by key, and the programs that know more."""

    logins: tuple[tuple[str, Login], ...] = ()
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def helper_for(self, reference: Reference) -> tuple[str, str] | None:
        """The credential helper to ask, and the name that it knows the registry by."""
        key = HUB_KEY if reference.domain in _DOCKER_HUB else reference.domain
        for host, helper in self.helpers.items():
            if _host_of(host) == _host_of(key):
                return helper, host
        return (self.store, key) if self.store else None


def parse_docker_config(text: str | bytes) -> DockerConfig:
    """The config as far as it can be read; a broken file is an empty one."""
    data = _object(text)
    auths, helpers = data.get("auths"), data.get("credHelpers")
    return DockerConfig(
        logins=tuple(_logins(auths if isinstance(auths, dict) else {})),
        helpers={str(k): str(v) for k, v in helpers.items()} if isinstance(helpers, dict) else {},
        store=str(data.get("credsStore") or ""),
    )


def parse_pull_secret(data: Mapping[str, bytes]) -> tuple[tuple[str, Login], ...]:
    """The logins of a Secret, of either type that kubelet reads."""
    if ".dockerconfigjson" in data:
        return parse_docker_config(data[".dockerconfigjson"]).logins
    return tuple(_logins(_object(data.get(".dockercfg", b""))))


def logins_for(reference: Reference, known: Iterable[tuple[str, Login]]) -> list[Login]:
    """The logins that fit an image, those of the longest keys first; none twice."""
    fitting = [(key, login) for key, login in known if _matches(key, reference)]
    fitting.sort(key=lambda each: len(_without_scheme(each[0])), reverse=True)
    return list(dict.fromkeys(login for _, login in fitting))


def parse_helper_answer(output: str | bytes) -> Login | None:
    """What ``docker-credential-NAME get`` answers; None where it knows nothing."""
    data = _object(output)
    secret, user = data.get("Secret"), data.get("Username")
    if not isinstance(secret, str) or not secret:
        return None
    return Login("" if user == "<token>" else str(user or ""), secret)


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _logins(auths: Mapping[str, Any]) -> Iterable[tuple[str, Login]]:
    for key, entry in auths.items():
        login = _login(entry) if isinstance(entry, dict) else None
        if login is not None:
            yield key, login


def _login(entry: Mapping[str, Any]) -> Login | None:
    if entry.get("identitytoken"):
        return Login("", str(entry["identitytoken"]))
    if entry.get("username") and entry.get("password"):
        return Login(str(entry["username"]), str(entry["password"]))
    try:
        text = base64.b64decode(str(entry.get("auth") or "")).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return Login(user, password.strip("\0\n")) if colon and user else None


def _matches(key: str, reference: Reference) -> bool:
    host, _, path = _without_scheme(key).partition("/")
    if _host_of(key) in _DOCKER_HUB:
        is_same_host = reference.domain in _DOCKER_HUB
        path = "" if path.strip("/") in ("v1", "v2") else path
    else:
        is_same_host = _is_host(host, reference.domain)
    path = path.strip("/")
    return is_same_host and (not path or path in ("v1", "v2") or reference.path.startswith(path))


def _is_host(pattern: str, host: str) -> bool:
    parts, others = pattern.split("."), host.split(".")
    return len(parts) == len(others) and all(map(fnmatch.fnmatchcase, others, parts))


def _without_scheme(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://")


def _host_of(key: str) -> str:
    return _without_scheme(key).partition("/")[0]
