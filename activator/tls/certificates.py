"""Which Secret's certificate each host shows, by what KIngresses ask for. Pure.

A host belongs to the oldest KIngress that asks for a certificate for it, as its routes do. What is
wrong with a Secret concerns its own hosts alone: they keep what was shown before, or show nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from activator.tls.names import ANY, NameMap

T = TypeVar("T")
Object = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name, of a KIngress or of a Secret."""

SECRET_TYPE = "kubernetes.io/tls"
_NOBODY: Key = ("", "")
"""In the place of a KIngress: who asks for the default certificate."""
CERTIFICATE, PRIVATE_KEY = "tls.crt", "tls.key"


class InvalidCertificate(ValueError):
    """What a Secret holds cannot be shown to anybody; the text is for a status, without secrets."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a certificate is not shown; ``may_come``: it is waited for."""

    text: str
    may_come: bool = False


@dataclass(frozen=True, slots=True)
class _Claim:
    """A KIngress' wish for one host."""

    age: tuple[str, str, str]
    secret: Key


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[T]):
    """What a Secret was made into, or why not. ``digest`` tells it from what it holds later."""

    digest: bytes
    made: T | None
    problem: str = ""
    is_missing: bool = False


def trimmed(secret: Object) -> dict[str, Any]:
    """What is read of a Secret here."""
    metadata = secret["metadata"]
    about = ("name", "namespace", "uid", "resourceVersion")
    data = secret.get("data") or {}
    return {
        "metadata": {name: metadata[name] for name in about if name in metadata},
        "data": {name: data[name] for name in (CERTIFICATE, PRIVATE_KEY) if name in data},
    }


class Certificates(Generic[T]):
    """What all KIngresses ask for, and what Secrets hold of it.

    ``make`` makes of a chain and its key (PEM) what is shown; it raises InvalidCertificate.
    """

    def __init__(
        self, secret: Callable[[str, str], Object | None], make: Callable[[bytes, bytes], T]
    ) -> None:
        """``secret`` gives a Secret as it is now, by namespace and name."""
        self._secret = secret
        self._make = make
        self._claims: dict[str, dict[Key, _Claim]] = {}
        self._hosts: dict[Key, dict[str, Key]] = {}
        """Of each KIngress: its hosts, and the Secret for each."""
        self._users: dict[Key, set[Key]] = {}
        """Of each Secret: the KIngresses that name it."""
        self._loaded: dict[Key, _Loaded[T]] = {}
        self._shown: dict[str, T] = {}
        self.has_news = True
        """Whether ``names`` would be others than it gave last."""

    @property
    def is_wanted(self) -> bool:
        """Whether any KIngress asks for a certificate."""
        return bool(self._hosts)

    def put(self, ingress: Object) -> set[Key]:
        """Take over a KIngress; returns all whose hosts this concerns."""
        metadata = ingress["metadata"]
        owner = (str(metadata.get("namespace", "")), str(metadata["name"]))
        age = (str(metadata.get("creationTimestamp", "")), *owner)
        return self._want(owner, age, _wanted(ingress))

    def remove(self, namespace: str, name: str) -> set[Key]:
        """Forget a KIngress; returns all whose hosts this concerns."""
        return self._want((namespace, name), ("", "", ""), {})

    def set_default(self, secret: Key | None) -> None:
        """Show this Secret's certificate for names that have none, and to who says no name."""
        self._want(_NOBODY, ("", "", ""), {} if secret is None else {ANY: secret})

    def asks(self, owner: Key) -> bool:
        """Whether a KIngress asks for a certificate."""
        return owner in self._hosts

    def owners(self) -> list[Key]:
        """All KIngresses that ask for certificates."""
        return [owner for owner in self._hosts if owner != _NOBODY]

    def _want(self, owner: Key, age: tuple[str, str, str], hosts: dict[str, Key]) -> set[Key]:
        before = self._hosts.pop(owner, {})
        if hosts:
            self._hosts[owner] = hosts
        if hosts == before:
            return set()
        for secret in hosts.values():
            self._users.setdefault(secret, set()).add(owner)
        concerned = set[Key]()
        for host in before.keys() | hosts.keys():
            claims = self._claims.setdefault(host, {})
            if host in hosts:
                claims[owner] = _Claim(age, hosts[host])
            else:
                del claims[owner]
            self._elect(host)
            concerned |= claims.keys() - {_NOBODY}
        self._forget(owner, set(before.values()) - set(hosts.values()))
        return concerned

    def _forget(self, owner: Key, secrets: Iterable[Key]) -> None:
        """A KIngress names these no more."""
        for secret in secrets:
            users = self._users[secret]
            users.discard(owner)
            if not users:
                del self._users[secret]
                self._loaded.pop(secret, None)

    def secret_changed(self, secret: Key) -> frozenset[Key]:
        """A Secret was made, changed or deleted; returns the KIngresses that name it."""
        users = frozenset(self._users.get(secret, ()))
        if users and self._reload(secret):
            for host in {h for user in users for h, s in self._hosts[user].items() if s == secret}:
                self._elect(host)
        return users - {_NOBODY}

    def problem(self, owner: Key) -> Problem | None:
        """Say why a KIngress' hosts are not all served with their certificates."""
        for host, secret in sorted(self._hosts.get(owner, {}).items()):
            winner = _oldest(self._claims[host])
            if winner.secret != secret:
                return Problem(f"host {host!r} has the certificate of another KIngress")
            loaded = self._load(secret)
            if loaded.problem:
                text = f"Secret {secret[0]}/{secret[1]}: {loaded.problem}"
                return Problem(text, may_come=loaded.is_missing)
        return None

    def names(self) -> NameMap[T]:
        """What is shown by name, as it is now; later changes leave it alone."""
        self.has_news = False
        return NameMap(self._shown)

    def _elect(self, host: str) -> None:
        claims = self._claims.get(host)
        if not claims:
            self._claims.pop(host, None)
        made = self._load(_oldest(claims).secret).made if claims else None
        if made is not self._shown.get(host):
            self.has_news = True
        if made is not None:
            self._shown[host] = made
        else:
            self._shown.pop(host, None)

    def _load(self, secret: Key) -> _Loaded[T]:
        if secret not in self._loaded:
            self._reload(secret)
        return self._loaded[secret]

    def _reload(self, secret: Key) -> bool:
        """Read a Secret anew; whether that changes what is shown."""
        known = self._loaded.get(secret)
        loaded = self._read(secret, known)
        self._loaded[secret] = loaded
        return known is None or known.made is not loaded.made

    def _read(self, secret: Key, known: _Loaded[T] | None) -> _Loaded[T]:
        """What was good before is shown still: who replaces a Secret may do so in steps."""
        before = None if known is None else known.made
        obj = self._secret(*secret)
        if obj is None:
            text = f"not found, or not of type {SECRET_TYPE}"
            return _Loaded(b"", before, text, is_missing=True)
        try:
            chain, key = (_octets(obj, name) for name in (CERTIFICATE, PRIVATE_KEY))
            digest = hashlib.sha256(chain + b"\0" + key).digest()
            if known is not None and known.digest == digest:
                return known
            return _Loaded(digest, self._make(chain, key))
        except InvalidCertificate as error:
            return _Loaded(b"", before, str(error))


def _octets(secret: Object, name: str) -> bytes:
    value = (secret.get("data") or {}).get(name)
    if not value:
        raise InvalidCertificate(f"has no {name}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidCertificate(f"{name} is not base64") from error


def _wanted(ingress: Object) -> dict[str, Key]:
    """The Secret for each host; an entry without hosts is for all of the rules."""
    spec = ingress.get("spec") or {}
    found: dict[str, Key] = {}
    for entry in spec.get("tls") or ():
        secret = (str(entry.get("secretNamespace") or ""), str(entry.get("secretName") or ""))
        for host in entry.get("hosts") or _hosts(spec.get("rules") or ()):
            found.setdefault(_name(str(host)), secret)
    return found


def _hosts(rules: Iterable[Object]) -> Iterable[str]:
    for rule in rules:
        yield from rule.get("hosts") or ()


def _name(host: str) -> str:
    """A host as clients send it: in ASCII, in lower case, without a final dot."""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return host
    return host.lower().rstrip(".")


def _oldest(claims: Mapping[Key, _Claim]) -> _Claim:
    return min(claims.values(), key=lambda claim: claim.age)
