"""What the words behind ``--bind`` mean, and the objects that come of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hearth.functions.binding.services import kind_of
from hearth.functions.deploying.settings import SettingsError

Object = dict[str, Any]

_ALIAS = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"(?P<name>[A-Za-z]+):(?P<port>\d{1,5})")
MANAGED = {"app.kubernetes.io/managed-by": "hearth-deploy"}
"""Labels of what ``--bind`` makes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One binding that is asked for."""

    what: str
    """The name of a Secret or of a service, ``KIND.GROUP/NAME``, or a URL."""
    alias: str
    """Of the folder that containers find it in."""
    port: int | None = None
    """Of a server on this machine, where it is said."""

    @property
    def is_url(self) -> bool:
        """Whether a URL says all of it."""
        return "://" in self.what

    def __str__(self) -> str:
        """Without what a URL may hold of secrets."""
        return f"{self.what.partition('://')[0]}://..." if self.is_url else self.what


def wish_of(text: str) -> Wish:
    """Read ``NAME[=AS]``; raise SettingsError on what is none."""
    what, equals, alias = text.rpartition("=")
    if not equals or ("://" in text and ("?" in text or not _ALIAS.fullmatch(alias))):
        what, alias = text, ""
    port = _PORT.fullmatch(what)
    if port is not None:
        what = port["name"]
    wish = Wish(what, alias or _default(what), int(port["port"]) if port else None)
    if not what:
        raise SettingsError(f"--bind {text!r}: give NAME, NAME=AS or a URL")
    if not _ALIAS.fullmatch(wish.alias):
        raise SettingsError(f"--bind {wish}: {wish.alias!r} is no name for it; give one: {wish}=AS")
    return wish


def _default(what: str) -> str:
    if "://" in what:
        scheme = what.partition("://")[0]
        kind = kind_of(scheme)
        return kind.type if kind else scheme
    return what.rpartition("/")[2]


def wishes_of(texts: Iterable[str]) -> list[Wish]:
    """Read all of them; raise SettingsError where two would have one name."""
    found = [wish_of(text) for text in texts]
    aliases = [wish.alias for wish in found]
    for alias in aliases:
        if aliases.count(alias) > 1:
            raise SettingsError(f"--bind: two are called {alias!r}: give one another name, NAME=AS")
    return found


def secret_object(name: str, namespace: str, entries: Mapping[str, str]) -> Object:
    """Return the Secret that holds entries."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED)},
        "type": f"servicebinding.io/{entries['type']}",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()},
    }


def binding_object(
    service: str, namespace: str, alias: str, to: Mapping[str, str], env: Iterable[tuple[str, str]]
) -> Object:
    """Return the ServiceBinding that gives something to a Knative Service."""
    workload = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": service}
    return {
        "apiVersion": "servicebinding.io/v1",
        "kind": "ServiceBinding",
        "metadata": {
            "name": f"{service}-{alias}",
            "namespace": namespace,
            "labels": dict(MANAGED),
        },
        "spec": {
            "name": alias,
            "service": dict(to),
            "workload": workload,
            "env": [{"name": name, "key": key} for name, key in env],
        },
    }
