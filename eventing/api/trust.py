"""Trust bundles: ConfigMaps with authorities (PEM) that all who send events trust. Pure.

As in Knative, those of ``knative-eventing`` with the label count; beside workloads that send by a
SinkBinding they are there as copies, and once more all of them in one file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventing.api import keys
from hearth.knative.names import child_name
from hearth.kube import meta
from hearth.kube.controllerspec import Source
from hearth.kube.meta import Object, name
from hearth.kube.resources import CONFIGMAPS

LABEL = "networking.knative.dev/trust-bundle"
TRUST_SOURCE = Source(CONFIGMAPS, label_selector=f"{LABEL}=true")
SUFFIX = "kne-bundle"
COMBINED = f"kn-combined-{SUFFIX}"
VOLUME = f"{SUFFIX}-volume"
FOLDER = "/knative-custom-certs"
_MOST_BYTES = 1_000_000
"""A ConfigMap holds 1 MiB."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def is_bundle(config_map: Object) -> bool:
    """Whether a ConfigMap is a trust bundle."""
    return meta.labels(config_map).get(LABEL) == "true"


def combined(bundles: Iterable[Object]) -> str:
    """Return all certificates of the bundles that can be read, one after the other."""
    found: list[str] = []
    size = 0
    for pem in _certificates(bundles):
        size += len(pem)
        if size > _MOST_BYTES:
            break
        found.append(pem)
    return "".join(found)


def _certificates(bundles: Iterable[Object]) -> Iterator[str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    for bundle in sorted(bundles, key=name):
        data: Mapping[str, str] = bundle.get("data") or {}
        for _, text in sorted(data.items()):
            for block in _CERTIFICATE.findall(text):
                try:
                    certificate = x509.load_pem_x509_certificate(block.encode())
                except ValueError:
                    continue
                yield certificate.public_bytes(Encoding.PEM).decode()


def copies(bundles: Sequence[Object], where: str) -> list[Object]:
    """Return what a namespace gets of the bundles: each of them, and all in one."""
    made = [_copy(each, where) for each in sorted(bundles, key=name)]
    text = combined(bundles)
    if text:
        whole: Object = {
            "metadata": {"name": COMBINED, "labels": {LABEL: "true"}},
            "data": {f"{COMBINED}.pem": text},
        }
        made.append(_copy(whole, where))
    return made


def _copy(bundle: Object, where: str) -> Object:
    metadata: dict[str, Any] = {
        "name": child_name(name(bundle), SUFFIX),
        "namespace": where,
        "labels": meta.labels(bundle),
    }
    annotations = {
        title: value
        for title, value in meta.annotations(bundle).items()
        if not title.startswith("kubectl.kubernetes.io/")
    }
    if annotations:
        metadata["annotations"] = annotations
    contents = {field: bundle[field] for field in ("data", "binaryData") if bundle.get(field)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **contents}


def names_in(bundles: Iterable[Object], made: Iterable[Object]) -> tuple[str, ...]:
    """Return the names of all bundles of a namespace: those there, and those being made."""
    return tuple(sorted({name(each) for each in (*bundles, *made)}))


Names = Sequence[str] | Mapping[str, Sequence[str]]
"""Of bundles, perhaps with the keys of each."""


def names_with_keys(bundles: Iterable[Object]) -> dict[str, Sequence[str]]:
    """Return the names of bundles, in order, and the keys of each."""
    return {name(each): sorted(each.get("data") or {}) for each in sorted(bundles, key=name)}


def volume(names: Names, *, optional: bool = False) -> dict[str, Any]:
    """Return the volume with all bundles of a namespace, as the API server completes it.

    With ``optional`` pods start also where one of them is not there any more. With its keys each
    has files of its own: of several under one key a volume shows the last one alone, which does no
    harm where all are in one bundle (``COMBINED``) besides.
    """
    more = {"optional": True} if optional else {}
    sources: list[dict[str, Any]] = [{"configMap": {"name": each, **more}} for each in names]
    if isinstance(names, Mapping):
        for source in sources:
            title = source["configMap"]["name"]
            source["configMap"]["items"] = [
                {"key": each, "path": f"{title}.{each}"} for each in names[title]
            ]
    return {"name": VOLUME, "projected": {"sources": sources, "defaultMode": 0o644}}


def mount() -> dict[str, Any]:
    """Return where a container finds them."""
    return {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}


def system_bundles(config_maps: Iterable[Object]) -> list[Object]:
    """Return the bundles that everybody trusts."""
    return [
        each
        for each in config_maps
        if is_bundle(each) and meta.namespace(each) == keys.SYSTEM_NAMESPACE
    ]
