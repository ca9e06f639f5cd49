"""Who may ask for what: everybody with a token for everything, nobody else for anything here.

Readers may look (``hearth.cluster.model.user.READERS``): the live page is their client.
"""

from __future__ import annotations

from hearth.cluster.codec.paths import Target
from hearth.cluster.model import status
from hearth.cluster.model.user import READERS, User
from hearth.cluster.rest.requests import Request, Response, text_response

_SHOWN = ("", "status", "scale", "log")
"""Subresources that a read of changes nothing: to get ``exec`` is to run something."""


def check_access(user: User, target: Target, verb: str) -> None:
    """Anybody with a token may do anything, readers look; nobody else may do something here."""
    if READERS in user.groups:
        if _looks(target, verb):
            return
    elif not user.is_anonymous:
        return
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {verb} resource "{resource}" in API group '
        f'"{target.group}" {where}'
    )
    raise status.forbidden(target.group, target.plural, target.name, why=why)


def _looks(target: Target, verb: str) -> bool:
    is_read = verb in ("get", "list", "watch") and target.subresource in _SHOWN
    return is_read and (target.group, target.plural) != ("", "secrets")


def check_path_access(user: User, request: Request) -> None:
    """Raises 403 where nobody without a token may look, nor readers do more than that."""
    if user.is_anonymous or (READERS in user.groups and request.method not in ("GET", "HEAD")):
        verb = request.method.lower()
        raise status.forbidden_path(f'User "{user.name}" cannot {verb} path "{request.path}"')


def not_found() -> Response:
    """404 for a path that names nothing, in plain text as from Go's mux."""
    return text_response("404 page not found\n", 404)
