"""The hash of a KIngress: Go's JSON, whatever the order in which it was stored."""

from __future__ import annotations

import hashlib
from typing import Any

from activator.ingress_hash import ingress_hash


def an_ingress(*, is_reversed: bool) -> dict[str, Any]:
    split = {
        "appendHeaders": {"B": "<2>", "A": "1"},
        "percent": 100,
        "servicePort": 80,
        "serviceName": "one",
        "serviceNamespace": "ns",
    }
    rule = {
        "http": {"paths": [{"splits": [split]}]},
        "visibility": "ExternalIP",
        "hosts": ["a.test"],
    }
    spec: dict[str, Any] = {"rules": [rule], "httpOption": "Enabled"}
    if not is_reversed:
        split = dict(reversed(split.items()))
        rule = {**dict(reversed(rule.items())), "http": {"paths": [{"splits": [split]}]}}
        spec = {"httpOption": "Enabled", "rules": [rule]}
    return {"metadata": {"namespace": "ns", "name": "i"}, "spec": spec}


def test_the_hash_is_that_of_gos_json_with_the_owners_name() -> None:
    text = (
        '{"rules":[{"hosts":["a.test"],"visibility":"ExternalIP","http":{"paths":[{"splits":'
        '[{"serviceNamespace":"ns","serviceName":"one","servicePort":80,"percent":100,'
        '"appendHeaders":{"A":"1","B":"\\u003c2\\u003e"}}]}]}}],"httpOption":"Enabled"}nsi'
    )
    expected = hashlib.sha256(text.encode()).hexdigest().encode()
    assert ingress_hash(an_ingress(is_reversed=True)) == expected
    assert ingress_hash(an_ingress(is_reversed=False)) == expected


def test_another_spec_or_name_is_another_hash() -> None:
    one, other = an_ingress(is_reversed=True), an_ingress(is_reversed=True)
    other["metadata"]["name"] = "j"
    assert ingress_hash(one) != ingress_hash(other)
