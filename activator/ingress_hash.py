"""The hash by which a prober tells that a gateway routes this very version of a KIngress. Pure.

As knative.dev/networking computes it (pkg/ingress.ComputeHash): SHA-256 of the spec in Go's JSON,
followed by namespace and name. Go writes the fields of a struct in the order of their declaration
and the keys of a map sorted.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

# Fields in Go's order, and of which type (another row here) what they hold is.
_TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "spec": (("tls", "tls"), ("rules", "rule"), ("httpOption", "")),
    "tls": (("hosts", ""), ("secretName", ""), ("secretNamespace", "")),
    "rule": (("hosts", ""), ("visibility", ""), ("http", "http")),
    "http": (("paths", "path"),),
    "path": (
        ("path", ""),
        ("rewriteHost", ""),
        ("headers", ""),
        ("splits", "split"),
        ("appendHeaders", ""),
    ),
    "split": (
        ("serviceNamespace", ""),
        ("serviceName", ""),
        ("servicePort", ""),
        ("percent", ""),
        ("appendHeaders", ""),
    ),
}
# Written also when they are empty.
_ALWAYS = frozenset(("paths", "splits", "serviceNamespace", "serviceName", "servicePort"))
# Characters that Go's encoder escapes for the sake of HTML.
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def ingress_hash(ingress: dict[str, Any]) -> bytes:
    """The hash of a KIngress in hexadecimal digits."""
    metadata = ingress["metadata"]
    spec = json.dumps(
        _in_order(ingress.get("spec") or {}, "spec"), separators=(",", ":"), ensure_ascii=False
    )
    owner = f"{metadata.get('namespace', '')}{metadata['name']}"
    return hashlib.sha256((spec.translate(_ESCAPED) + owner).encode()).hexdigest().encode()


def _in_order(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_in_order(item, kind) for item in value]
    if not isinstance(value, dict):
        return value
    if not kind:
        return {key: _in_order(value[key], "") for key in sorted(value)}
    return {
        name: _in_order(value.get(name), inner)
        for name, inner in _TYPES[kind]
        if name in _ALWAYS or value.get(name)
    }
