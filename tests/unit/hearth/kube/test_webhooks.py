"""Webhook configurations and the certificate behind them."""

import base64

import pytest
from cryptography import x509

from hearth.kube.webhooks import (
    Webhook,
    WebhookServer,
    configuration,
    make_certificate,
    writes_rule,
)

SERVER = WebhookServer("https://127.0.0.1:1", b"pem")
RULES = (writes_rule("g", ("v1",), ("things",)),)


@pytest.mark.parametrize(
    ("mutating", "kind"),
    [(True, "MutatingWebhookConfiguration"), (False, "ValidatingWebhookConfiguration")],
)
def test_configuration(mutating, kind):
    webhook = Webhook("w.example", "/path", RULES, mutating=mutating, labels={"a": "b"})
    found = configuration(webhook, SERVER)
    assert found["kind"] == kind
    assert found["metadata"] == {"name": "w.example", "labels": {"a": "b"}}
    [hook] = found["webhooks"]
    assert hook["clientConfig"]["url"] == "https://127.0.0.1:1/path"
    assert base64.b64decode(hook["clientConfig"]["caBundle"]) == b"pem"
    assert hook["rules"][0]["operations"] == ["CREATE", "UPDATE"]


def test_selectors_narrow_what_is_asked():
    selectors = {"objectSelector": {"matchLabels": {"a": "b"}}}
    [hook] = configuration(Webhook("w", "/", RULES, selectors=selectors), SERVER)["webhooks"]
    assert hook["objectSelector"] == selectors["objectSelector"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "webhook.ns.svc"])
def test_the_certificate_names_the_host(host):
    certificate = x509.load_pem_x509_certificate(make_certificate(host)[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [host]
