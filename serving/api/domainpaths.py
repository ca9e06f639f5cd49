"""What a DomainMapping asks for beyond one host and one target. Hearth's own. Pure.

``serving.hearth.dev/paths`` is a JSON or YAML list::

    - {path: /api, service: api, rewrite: /}
    - {path: /docs, service: handbook}

Requests whose path begins with ``path``, up to a slash or its end, go to ``service`` (a Knative or
Kubernetes Service of the DomainMapping's namespace); the longest path counts, and ``spec.ref`` has
all others. ``rewrite`` takes the place of what matched.

``serving.hearth.dev/wildcard: "true"`` gives the DomainMapping all names below its own that nobody
else has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hearth.kube.names import dns1035_label_problems
from serving.api import keys
from serving.api.annotationtext import TextError, fields_of, loaded, parse_switch

MOST_PATHS = 100
_FIELDS = ("path", "service", "rewrite")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]{0,1023}")


@dataclass(frozen=True, slots=True)
class MappedPath:
    """One path and where it leads; ``rewrite`` is None where the path stays as it is."""

    path: str
    service: str
    rewrite: str | None = None


@lru_cache(maxsize=256)
def parse_paths(text: str) -> tuple[MappedPath, ...]:
    """Read the annotation, the longest path first; raises TextError."""
    entries = loaded(text)
    if not isinstance(entries, list) or not entries:
        raise TextError("expected a list of paths", value=text[:100])
    if len(entries) > MOST_PATHS:
        raise TextError(f"expected at most {MOST_PATHS} paths", value=len(entries))
    paths: dict[str, MappedPath] = {}
    for place, entry in enumerate(entries):
        mapped = _mapped(entry, f"[{place}]")
        if mapped.path in paths:
            raise TextError("it is there twice", f"[{place}].path", mapped.path)
        paths[mapped.path] = mapped
    return tuple(sorted(paths.values(), key=lambda each: (-len(each.path), each.path)))


def _mapped(entry: Any, path: str) -> MappedPath:
    given = fields_of(entry, _FIELDS, path, "a path")
    service = given.get("service")
    if not isinstance(service, str) or dns1035_label_problems(service):
        raise TextError("expected the name of a Service", f"{path}.service", service)
    prefix = _path(given, "path", path)
    if prefix == "/":
        raise TextError("what no other path has goes to spec.ref", f"{path}.path", prefix)
    rewrite = _path(given, "rewrite", path) if "rewrite" in given else None
    return MappedPath(prefix.removesuffix("/"), service, rewrite)


def _path(entry: Mapping[str, Any], name: str, path: str) -> str:
    text = entry.get(name)
    if not isinstance(text, str) or _PATH.fullmatch(text) is None or "//" in text:
        expected = "expected a path that begins with a slash, without a query, such as /api"
        raise TextError(expected, f"{path}.{name}", text)
    return text


def paths_of(annotations: Mapping[str, str]) -> tuple[MappedPath, ...]:
    """The paths that annotations ask for; none for what cannot be read, as for none."""
    try:
        return parse_paths(annotations[keys.DOMAIN_PATHS])
    except (KeyError, TextError):
        return ()


def is_wildcard(annotations: Mapping[str, str]) -> bool:
    """Whether annotations ask for all names below; what cannot be read does not."""
    try:
        return parse_switch(annotations.get(keys.DOMAIN_WILDCARD, "false"))
    except ValueError:
        return False


def rewritten(target: bytes, prefix: bytes, rewrite: bytes) -> bytes:
    """Return the target of a request with ``rewrite`` in the place of the prefix that it has."""
    rest = target[len(prefix) :]
    if rest[:1] == b"/" and rewrite[-1:] == b"/":
        rest = rest[1:]
    return rewrite + rest
