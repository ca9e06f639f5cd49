"""Certificates that an authority of this machine signs. Pure, but for the key that it makes."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import CERTIFICATES
from hearth.kube import meta
from hearth.kube.meta import Object, is_controlled_by, is_deleting, name, namespace, uid
from hearth.kube.plan import Action, Create, Event, Plan, Update
from hearth.kube.resources import SECRETS
from serving.api import keys, views
from serving.api.settings import Settings
from serving.kinds.status import Draft

CONDITIONS = ConditionSet(keys.READY, ())
_SECRET_TYPE = "kubernetes.io/tls"
_CERTIFICATE, _KEY, _AUTHORITY = "tls.crt", "tls.key", "ca.crt"
_LOOK_SECONDS = 6 * 3600.0
"""How often is asked whether a certificate has to be made anew, which is due 30 days ahead."""


class Authority(Protocol):
    """Who signs. Times are Unix seconds."""

    @property
    def certificate(self) -> bytes:
        """What clients have to trust, in PEM."""

    def vouches_for(self, host: str) -> bool:
        """Whether it is believed about a name."""

    def issue(self, hosts: Sequence[str], now: float) -> tuple[bytes, bytes]:
        """Make a certificate and its key, in PEM."""

    def good_until(
        self, chain: bytes, key: bytes, hosts: Sequence[str], now: float
    ) -> float | None:
        """Until when they are good for these names; None where they are to be made anew."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Certificate."""

    certificate: Object
    secret: Object | None
    """The one it names, where that is one of ours."""


def reconcile(observed: Observed, *, settings: Settings, now: float, authority: Authority) -> Plan:
    """Keep a good certificate in the Secret that is named."""
    certificate = observed.certificate
    view = views.Certificate(certificate)
    if is_deleting(certificate) or view.certificate_class != keys.HEARTH_CERTIFICATE_CLASS:
        return Plan()
    draft = Draft(certificate, CONDITIONS, now=now)
    actions: tuple[Action, ...] = ()
    strange = [host for host in view.dns_names if not authority.vouches_for(host)]
    if strange or not view.dns_names:
        text = f"The authority of this machine vouches for no {strange[0] if strange else 'name'}"
        draft.conditions.mark_false(keys.READY, "NotVouchedFor", text)
    else:
        actions = _kept(observed, view, draft, authority=authority, now=now)
    after = None if actions else _LOOK_SECONDS
    return Plan((*actions, *draft.writes(CERTIFICATES)), requeue_after=after)


def _kept(
    observed: Observed,
    view: views.Certificate,
    draft: Draft,
    *,
    authority: Authority,
    now: float,
) -> tuple[Action, ...]:
    certificate, secret, hosts = observed.certificate, observed.secret, view.dns_names
    if secret is not None and not is_controlled_by(secret, certificate):
        message = f'There is an existing Secret "{name(secret)}" that we do not own.'
        draft.conditions.mark_false(keys.READY, "NotOwned", message)
        return ()
    until = None
    if secret is not None:
        until = authority.good_until(*_pair(secret), hosts, now)
    if until is not None:
        draft.conditions.mark_true(keys.READY)
        draft.put("notAfter", _moment(until))
        return ()
    if secret is None:
        draft.conditions.mark_unknown(keys.READY, "Issuing", "The certificate is being made.")
    made = _secret(certificate, view.secret_name, authority, hosts=hosts, now=now)
    text = f'Issued a certificate into Secret "{view.secret_name}"'
    event = Event(certificate, "Normal", "Issued", text)
    if secret is None:
        return (Create(SECRETS, made), event)
    return (Update(SECRETS, {**secret, "data": made["data"]}), event)


def _secret(
    certificate: Object,
    title: str,
    authority: Authority,
    *,
    hosts: Sequence[str],
    now: float,
) -> Object:
    chain, key = authority.issue(hosts, now)
    data = {_CERTIFICATE: chain, _KEY: key, _AUTHORITY: authority.certificate}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": title,
            "namespace": namespace(certificate),
            "labels": {keys.CERTIFICATE_UID: uid(certificate)},
            "ownerReferences": [meta.owner_reference(certificate)],
        },
        "type": _SECRET_TYPE,
        "data": {each: base64.b64encode(content).decode() for each, content in data.items()},
    }


def _pair(secret: Object) -> tuple[bytes, bytes]:
    data = secret.get("data") or {}
    chain, key = (base64.b64decode(data.get(each) or "") for each in (_CERTIFICATE, _KEY))
    return chain, key


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
