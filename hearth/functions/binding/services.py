"""Kinds of services: how they are called, where they listen, what applications expect to be told.

Entries are those of the ServiceBinding specification (``type``, ``host``, ``port``, ``username``,
``password``, ``uri``); names of variables are those that each service's own clients read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from hearth.functions.deploying.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of service."""

    type: str
    names: tuple[str, ...]
    """What people call it, and schemes of its URLs."""
    port: int
    scheme: str
    path: str
    """Which entry the path of its URL is; "" for none."""
    env: Mapping[str, str]
    """Entries by the names of variables."""
    defaults: Mapping[str, str]
    """Entries that hold on this machine where nobody says otherwise."""


def _env(prefix: str, uri: str, *, user: str = "USER", path: str = "DATABASE") -> dict[str, str]:
    return {
        uri: "uri",
        f"{prefix}HOST": "host",
        f"{prefix}PORT": "port",
        f"{prefix}{user}": "username",
        f"{prefix}PASSWORD": "password",
        f"{prefix}{path}": "virtual-host" if path == "VHOST" else "database",
    }


KINDS = (
    Kind(
        "postgresql",
        ("postgresql", "postgres", "pg"),
        5432,
        "postgresql",
        "database",
        _env("PG", "DATABASE_URL"),
        {},
    ),
    Kind(
        "mysql",
        ("mysql", "mariadb"),
        3306,
        "mysql",
        "database",
        _env("MYSQL_", "DATABASE_URL"),
        {},
    ),
    Kind(
        "redis",
        ("redis", "rediss", "valkey"),
        6379,
        "redis",
        "database",
        _env("REDIS_", "REDIS_URL", user="USERNAME"),
        {"username": "", "password": "", "database": ""},
    ),
    Kind(
        "rabbitmq",
        ("rabbitmq", "amqp", "amqps"),
        5672,
        "amqp",
        "virtual-host",
        _env("RABBITMQ_", "AMQP_URL", path="VHOST"),
        {"username": "guest", "password": "guest", "virtual-host": ""},
    ),
)
"""Those that are found on this machine. Others are bound by a Secret or a URL."""


def kind_of(name: str) -> Kind | None:
    """Return the kind that people call so."""
    return next((kind for kind in KINDS if name.lower() in kind.names), None)


def entries_of(url: str) -> dict[str, str]:
    """Return the entries of a Secret for a service at a URL; raise SettingsError, not telling it.

    The URL holds a password, so no message repeats it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingsError(f"--bind with a URL: {error}") from error
    if not host:
        raise SettingsError("--bind with a URL: there is no host in it: SCHEME://USER@HOST/NAME")
    kind = kind_of(parts.scheme)
    found = {
        "type": kind.type if kind else parts.scheme,
        "host": host,
        "port": str(port or (kind.port if kind else "")),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        (kind.path if kind else "path"): unquote(parts.path.removeprefix("/")),
        "uri": url,
    }
    if parts.scheme == "postgres":  # what SQLAlchemy no longer takes
        found["uri"] = url.replace("postgres", "postgresql", 1)
    return {key: value for key, value in found.items() if value}


def entries_for(kind: Kind, host: str, port: int, said: Mapping[str, str]) -> dict[str, str]:
    """Return the entries for a server, with what else is known of it."""
    user, password = said.get("username", ""), said.get("password", "")
    who = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    path = quote(said.get(kind.path, ""), safe="")
    uri = f"{kind.scheme}://{f'{who}@' if who else ''}{host}:{port}{f'/{path}' if path else ''}"
    found = {"type": kind.type, "host": host, "port": str(port), **said, "uri": uri}
    return {key: value for key, value in found.items() if value}


def variables(
    service_type: str, keys: Collection[str], name: str, taken: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield names of variables, and the entries whose values they have.

    Where one of the usual names is taken, by the user or by another binding, all are led by the
    binding's own: the second database of an application is ``ORDERS_DATABASE_URL``, and none of its
    variables is mixed with those of the first. Kinds that nobody has named variables for have those
    of the binding: ``SEARCH_URL``.
    """
    own = name.upper().replace("-", "_").replace(".", "_")
    kind = kind_of(service_type)
    usual = kind.env if kind is not None else _env(f"{own}_", f"{own}_URL", user="USERNAME")
    lead = f"{own}_" if kind is not None and set(usual) & set(taken) else ""
    for variable, key in usual.items():
        if key in keys and f"{lead}{variable}" not in taken:
            yield f"{lead}{variable}", key
