"""Members of Vault's secrets, by the engine that has them."""

from __future__ import annotations

import pytest

from hearth.keda.api.secretstores import VaultPkiData, VaultSecret
from hearth.keda.auth.vault import member, pki_request


@pytest.mark.parametrize(
    ("kind", "key", "data", "value"),
    [
        ("", "word", {"word": "old"}, "old"),
        ("", "word", {"data": {"word": "new"}}, "new"),
        ("secret", "word", {"word": "old"}, "old"),
        ("secretV2", "word", {"data": {"word": "new"}}, "new"),
        ("pki", "certificate", {"certificate": "pem"}, "pem"),
        ("pki", "ca_chain", {"ca_chain": ["one", "two"]}, "one\ntwo"),
    ],
)
def test_where_the_value_is(kind, key, data, value):
    assert member(VaultSecret(type=kind, key=key), data) == value


@pytest.mark.parametrize(
    ("kind", "key", "data", "words"),
    [
        ("secret", "word", {}, "key 'word' not found"),
        ("secretV2", "word", {"data": None}, "key 'word' not found"),
        ("secret", "word", {"word": 3}, "key 'word' is not castable to string"),
        ("pki", "ca_chain", {"ca_chain": "pem"}, "not castable to \\[\\]interface"),
    ],
)
def test_what_has_no_value(kind, key, data, words):
    with pytest.raises(ValueError, match=words):
        member(VaultSecret(type=kind, key=key), data)


def test_a_certificate_is_asked_for_with_what_is_said():
    asked = VaultPkiData(common_name="a.b", ip_sans="1.2.3.4", ttl="1h")
    assert pki_request(asked) == {"common_name": "a.b", "ip_sans": "1.2.3.4", "ttl": "1h"}
