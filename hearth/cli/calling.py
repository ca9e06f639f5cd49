"""Asks an address of Hearth for something, as clients do that know names of ``localhost``."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from hearth.cli.asking import resolvable
from hearth.cli.errors import UserError


def called(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    authority: Path,
    seconds: float,
    gateway: str = "",
) -> httpx.Response:
    """Return the answer; raise UserError where none comes.

    ``gateway`` is asked in the place of a host that does not resolve here. The certificate has to
    be for the URL's name; the certificate ``authority`` is trusted as well, where it is there.
    """
    address, name = _by_way_of(gateway, url) if gateway else resolvable(url)
    fields = {**headers, **({"Host": name} if name else {})}
    extensions = {"sni_hostname": name.partition(":")[0]} if name else {}
    try:
        with httpx.Client(verify=_trust(authority), timeout=seconds, trust_env=False) as client:
            return client.request(
                method, address, content=body, headers=fields, extensions=extensions
            )
    except httpx.HTTPError as error:
        raise UserError(f"{address} gives no answer: {error or type(error).__name__}") from error


def _by_way_of(gateway: str, url: str) -> tuple[str, str]:
    """Return the gateway's address for what a URL means, and the Host that it takes."""
    place, meant = urlsplit(gateway), urlsplit(url)
    return meant._replace(scheme=place.scheme, netloc=place.netloc).geturl(), meant.netloc


def _trust(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authority.exists():
        context.load_verify_locations(authority)
    return context
