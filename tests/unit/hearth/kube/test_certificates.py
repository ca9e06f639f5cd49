"""Certificates of webhooks: what has to change when, and that nobody is distrusted in between."""

from __future__ import annotations

import datetime
import ssl
from itertools import pairwise

import pytest
from cryptography import x509

from hearth.kube.access import load_chain
from hearth.kube.certificates import (
    AUTHORITIES,
    AUTHORITY_KEY,
    CERTIFICATE,
    KEY,
    Pair,
    authority_holds,
    good_until,
    issued,
    new_authority,
    renewed,
)
from hearth.kube.clock import wall_clock

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


# -- authorities that vouch for names ----------------------------------------------------------


def test_an_authority_vouches_for_names() -> None:
    authority = new_authority("local", ["localhost"], NOW)
    assert authority_holds(authority, NOW)
    pair = issued(authority, ["hello.default.localhost", "127.0.0.1"], NOW)
    until = good_until(pair, ["hello.default.localhost"], authority.chain, NOW)
    assert until == NOW + datetime.timedelta(days=90)
    assert b"PRIVATE" not in repr(pair).encode()
    context = ssl.create_default_context(cadata=authority.chain.decode())
    assert context.cert_store_stats()["x509_ca"] == 1


def test_what_it_has_signed_is_made_anew_in_time() -> None:
    authority = new_authority("local", ["localhost"], NOW)
    pair, day = issued(authority, ["a.localhost"], NOW), datetime.timedelta(days=1)
    assert good_until(pair, ["a.localhost"], authority.chain, NOW + 60 * day) is not None
    assert good_until(pair, ["a.localhost"], authority.chain, NOW + 61 * day) is None
    assert good_until(pair, ["b.localhost"], authority.chain, NOW) is None
    other = new_authority("local", ["localhost"], NOW)
    assert good_until(pair, ["a.localhost"], other.chain, NOW) is None
    assert good_until(Pair(b"", b""), ["a.localhost"], authority.chain, NOW) is None


def test_an_authority_that_ends_or_is_damaged_is_none() -> None:
    authority = new_authority("local", ["localhost"], NOW)
    assert not authority_holds(authority, NOW + datetime.timedelta(days=3650))
    assert not authority_holds(Pair(authority.chain, b"nonsense"), NOW)
    other = new_authority("local", ["localhost"], NOW)
    assert not authority_holds(Pair(authority.chain, other.key), NOW)


@pytest.mark.parametrize(
    ("name", "is_believed"), [("a.b.localhost", True), ("localhost", True), ("example.com", False)]
)
def test_it_is_believed_about_its_domains_alone(name: str, is_believed: bool) -> None:
    now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
    authority = new_authority("local", ["localhost"], now)
    pair = issued(authority, [name], now)
    assert handshakes(pair, authority.chain, name) is is_believed
    assert handshakes(issued(authority, ["127.0.0.1"], now), authority.chain, "127.0.0.1")


def handshakes(pair: Pair, authority: bytes, name: str) -> bool:
    """Whether a client that trusts the authority believes the certificate; all in memory."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_chain(server, pair.chain, pair.key)
    client = ssl.create_default_context(cadata=authority.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return ends[0].version() == "TLSv1.3"
