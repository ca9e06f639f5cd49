"""The authority of one machine: it signs certificates of routes, and its files say whom to trust.

``hearth up --tls`` makes it once in the state folder. It is believed about ``localhost``, names
below and this machine's own addresses alone (``hearth.kube.certificates.new_authority``), so
trusting it in a browser gives nobody power over other names.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from hearth.kube import certificates
from hearth.kube.certificates import Pair

DOMAIN = "localhost"
CERTIFICATE, KEY = "ca.crt", "ca.key"


def ensure_authority(folder: Path, now: datetime.datetime) -> Path:
    """Make the authority where there is none that lasts; return the file of its certificate."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = _read(folder)
    if known is None or not certificates.authority_holds(known, now):
        made = certificates.new_authority("Hearth on this machine", [DOMAIN], now)
        # The key last: without it, what is there is made anew.
        for title, content in ((CERTIFICATE, made.chain), (KEY, made.key)):
            fresh = folder / f"{title}.new"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            fresh.replace(folder / title)
    return folder / CERTIFICATE


def _read(folder: Path) -> Pair | None:
    try:
        return Pair((folder / CERTIFICATE).read_bytes(), (folder / KEY).read_bytes())
    except OSError:
        return None


class LocalAuthority:
    """Signs with the authority of a folder."""

    def __init__(self, folder: Path) -> None:
        """Raise FileNotFoundError where there is none."""
        self._pair = Pair((folder / CERTIFICATE).read_bytes(), (folder / KEY).read_bytes())

    @property
    def certificate(self) -> bytes:
        """What clients have to trust, in PEM."""
        return self._pair.chain

    def vouches_for(self, host: str) -> bool:
        """Whether it is believed about a name."""
        return host == DOMAIN or host.endswith(f".{DOMAIN}")

    def issue(self, hosts: Sequence[str], now: float) -> tuple[bytes, bytes]:
        """Make a certificate and its key, in PEM."""
        made = certificates.issued(self._pair, hosts, _moment(now))
        return made.chain, made.key

    def good_until(
        self, chain: bytes, key: bytes, hosts: Sequence[str], now: float
    ) -> float | None:
        """Until when they are good for these names; None where they are to be made anew."""
        pair = Pair(chain, key)
        until = certificates.good_until(pair, hosts, self._pair.chain, _moment(now))
        return None if until is None else until.timestamp()


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
