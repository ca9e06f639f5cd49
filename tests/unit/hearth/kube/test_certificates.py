"""Certificates of webhooks: what has to change when, and that nobody is distrusted in between."""

from __future__ import annotations

import datetime
import ssl
from itertools import pairwise

import pytest
from cryptography import x509

from hearth.kube.access import load_chain
from hearth.kube.certificates import AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY, renewed

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAMES = ("webhook.ns.svc", "127.0.0.1", "::1")


def made(now: datetime.datetime = NOW) -> dict[str, bytes]:
    files = renewed({}, NAMES, now)
    assert files is not None
    return files


def certificate(files: dict[str, bytes]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(files[CERTIFICATE])


def authorities(files: dict[str, bytes]) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(files[AUTHORITIES])


def is_trusted(files: dict[str, bytes], bundle: dict[str, bytes]) -> bool:
    """Whether one of a bundle's authorities has signed the certificate."""
    for authority in authorities(bundle):
        try:
            certificate(files).verify_directly_issued_by(authority)
            return True
        except Exception:
            continue
    return False


def test_nothing_becomes_everything() -> None:
    files = made()
    assert files.keys() == {AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY}
    alternatives = certificate(files).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in alternatives.value] == list(NAMES)
    assert is_trusted(files, files)
    load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files[CERTIFICATE], files[KEY])


def test_what_is_good_stays() -> None:
    assert renewed(made(), NAMES, NOW + 59 * DAY) is None


def test_a_certificate_near_its_end_is_signed_anew_by_the_same_authority() -> None:
    files = made()
    later = renewed(files, NAMES, NOW + 61 * DAY)
    assert later is not None
    assert later[AUTHORITIES] == files[AUTHORITIES]
    assert later[CERTIFICATE] != files[CERTIFICATE]
    assert renewed(later, NAMES, NOW + 61 * DAY) is None


@pytest.mark.parametrize("broken", [AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY])
def test_what_cannot_be_read_is_made_anew(broken: str) -> None:
    mended = renewed({**made(), broken: b"nonsense"}, NAMES, NOW)
    assert mended is not None
    assert is_trusted(mended, mended)
    assert renewed(mended, NAMES, NOW) is None


def test_a_key_of_another_authority_signs_nothing() -> None:
    mended = renewed({**made(), AUTHORITY_KEY: made()[AUTHORITY_KEY]}, NAMES, NOW)
    assert mended is not None
    assert is_trusted(mended, mended)


def test_other_names_take_another_certificate() -> None:
    assert renewed(made(), ("other.ns.svc",), NOW) is not None


def test_over_twenty_years_every_replica_is_trusted_by_an_older_or_newer_bundle() -> None:
    """A replica may show the certificate of before while the bundle is new, and the reverse."""
    history, now = [made()], NOW
    while now < NOW + 20 * 365 * DAY:
        now += 10 * DAY
        fresh = renewed(history[-1], NAMES, now)
        if fresh is not None:
            history.append(fresh)
    assert len({files[AUTHORITY_KEY] for files in history}) >= 3
    for before, after in pairwise(history):
        assert is_trusted(before, after)
        assert is_trusted(after, before)
    assert len(authorities(history[-1])) <= 2
