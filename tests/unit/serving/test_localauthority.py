"""The authority of one machine, as files."""

from __future__ import annotations

import datetime
from pathlib import Path

from serving.localauthority import LocalAuthority, ensure_authority

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SECONDS = NOW.timestamp()


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    path = ensure_authority(tmp_path / "tls", NOW)
    made = path.read_bytes()
    assert ensure_authority(tmp_path / "tls", NOW).read_bytes() == made
    assert (tmp_path / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600
    later = NOW + datetime.timedelta(days=3600)
    assert ensure_authority(tmp_path / "tls", later).read_bytes() != made


def test_one_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    path = ensure_authority(tmp_path, NOW)
    made = path.read_bytes()
    (tmp_path / "ca.key").write_bytes(b"nonsense")
    assert ensure_authority(tmp_path, NOW).read_bytes() != made


def test_it_signs(tmp_path: Path) -> None:
    ensure_authority(tmp_path, NOW)
    authority = LocalAuthority(tmp_path)
    chain, key = authority.issue(["hello.default.localhost"], SECONDS)
    until = authority.good_until(chain, key, ["hello.default.localhost"], SECONDS)
    assert until == SECONDS + 90 * 86_400
    assert authority.good_until(chain, key, ["other.localhost"], SECONDS) is None
    assert authority.certificate.startswith(b"-----BEGIN CERTIFICATE-----")


def test_for_whom_it_vouches(tmp_path: Path) -> None:
    ensure_authority(tmp_path, NOW)
    authority = LocalAuthority(tmp_path)
    assert authority.vouches_for("localhost")
    assert authority.vouches_for("a.b.localhost")
    assert not authority.vouches_for("notlocalhost")
    assert not authority.vouches_for("localhost.example.com")
