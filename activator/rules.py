"""Rules of KEDA's HTTP add-on: hosts, path prefixes by segment, fields. Pure.

Source: the add-on's ``pkg/routing`` (``match.go``, ``key.go``). Compiled once for each route; hosts
are compared in lower case, as everywhere in the route table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from activator.http.events import RequestHead
from activator.http.fields import Field
from activator.routes import ANY_HOST, normalize_host, read_host
from hearth.keda.api import httproutes


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """A field that has to be there, with this value where there is one."""

    name: bytes
    value: bytes | None

    def holds(self, fields: Iterable[Field]) -> bool:
        """Whether one of the fields is it; the same name may come several times."""
        for name, value in fields:
            if name.lower() == self.name and self.value in (None, value.strip(b" \t")):
                return True
        return False


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule. A host ``*`` stands for any, a path of nothing for every path."""

    hosts: tuple[bytes, ...]
    paths: tuple[bytes, ...]
    fields: tuple[FieldMatch, ...]

    def matches(self, host: bytes, path: bytes, fields: list[Field]) -> bool:
        """Whether a request matches; host and path as ``normalize_host`` and ``path_of`` say."""
        return (
            any(_host_matches(host, each) for each in self.hosts)
            and any(is_under(path, each) for each in self.paths)
            and all(each.holds(fields) for each in self.fields)
        )


def compiled_rule(rule: httproutes.Rule) -> CompiledRule:
    """Make a rule ready to be asked; raises ValueError where it names no host."""
    return CompiledRule(
        tuple(_host(host) for host in rule.hosts) or (ANY_HOST,),
        tuple(path.encode().strip(b"/") for path in rule.paths) or (b"",),
        tuple(
            FieldMatch(
                each.name.lower().encode(), None if each.value is None else each.value.encode()
            )
            for each in rule.headers
        ),
    )


def _host(host: str) -> bytes:
    return read_host(host) if host not in ("", "*") else ANY_HOST


def _host_matches(host: bytes, pattern: bytes) -> bool:
    if pattern == ANY_HOST:
        return True
    return host.endswith(pattern[1:]) if pattern.startswith(b"*.") else host == pattern


def path_of(target: bytes) -> bytes:
    """The path of a request without its outer slashes, decoded, and without the query."""
    path, _, _ = target.partition(b"?")
    return (unquote_to_bytes(path) if b"%" in path else path).strip(b"/")


def is_under(path: bytes, prefix: bytes) -> bool:
    """Whether a path begins with all segments of a prefix; both without outer slashes."""
    return not prefix or path == prefix or path.startswith(prefix + b"/")


def fields_of(head: RequestHead) -> list[Field]:
    """All fields of a request, those that the gateway has taken included."""
    return head.fields if head.taken is None else [*head.fields, *head.taken.items()]


def host_of(head: RequestHead) -> bytes:
    """Return its host as rules have it."""
    return normalize_host(head.authority)
