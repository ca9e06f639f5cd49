"""Who may ask for what: everybody with a token for everything, nobody else for anything here."""

from __future__ import annotations

from hearth.cluster.codec.paths import Target
from hearth.cluster.model import status
from hearth.cluster.model.user import User
from hearth.cluster.rest.requests import Request, Response, text_response


def check_access(user: User, target: Target, verb: str) -> None:
    """Anybody with a token may do anything; nobody else may do something here."""
    if not user.is_anonymous:
        return
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {verb} resource "{resource}" in API group '
        f'"{target.group}" {where}'
    )
    raise status.forbidden(target.group, target.plural, target.name, why=why)


def check_path_access(user: User, request: Request) -> None:
    """Raises 403 where nobody without a token may look."""
    if user.is_anonymous:
        verb = request.method.lower()
        raise status.forbidden_path(f'User "{user.name}" cannot {verb} path "{request.path}"')


def not_found() -> Response:
    """404 for a path that names nothing, in plain text as from Go's mux."""
    return text_response("404 page not found\n", 404)
