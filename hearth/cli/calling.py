"""Asks an address of Hearth for something, as clients do that know names of ``localhost``."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

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
    host: str = "",
) -> httpx.Response:
    """Return the answer; raise UserError where none comes.

    ``host`` is whom the URL's address stands for, where it is another's. The certificate has to be
    for that name; the certificate ``authority`` is trusted as well, where it is there.
    """
    address, own = resolvable(url)
    name = host or own
    fields = {**headers, **({"Host": name} if name else {})}
    extensions = {"sni_hostname": name.partition(":")[0]} if name else {}
    try:
        with httpx.Client(verify=_trust(authority), timeout=seconds, trust_env=False) as client:
            return client.request(
                method, address, content=body, headers=fields, extensions=extensions
            )
    except httpx.HTTPError as error:
        raise UserError(f"{address} gives no answer: {error or type(error).__name__}") from error


def _trust(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authority.exists():
        context.load_verify_locations(authority)
    return context
