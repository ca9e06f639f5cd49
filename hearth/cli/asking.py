"""How a command asks a component: at its own port, with the token that lets questions in.

On one machine ``hearth up`` has noted port and token; in a cluster a Secret holds the token.
"""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from hearth.cli.errors import UserError
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound
from hearth.kube.resources import SECRETS

Json = dict[str, Any]

TOKEN_FIELD = "X-Hearth-Token"
_SECONDS = 60.0


def ask_here(
    component: str, port: int, token: str, method: str, target: str, body: Json | None
) -> Json:
    """Ask a component of this machine; raise UserError, which says what to do about it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    content = None if body is None else json.dumps(body)
    try:
        connection.request(method, target, content, {TOKEN_FIELD: token})
        answer = connection.getresponse()
        told: Json = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UserError(
            f"the {component} process gives no answer ({error}): `hearth status` says how it is"
        ) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise UserError(str(told.get("message") or f"the {component} answered {answer.status}"))
    return told


async def secret_token(client: KubeClient, secret: tuple[str, str], filled_by: str) -> str:
    """Return the token in a cluster's Secret; raise Forbidden, or UserError with what to do."""
    namespace, name = secret
    try:
        found = await client.get(SECRETS, name, namespace)
    except NotFound as error:
        raise UserError(
            f"there is no Secret {namespace}/{name} in this cluster: is Hearth installed "
            "(`hearth status --kubeconfig FILE`), and of this version?"
        ) from error
    except Forbidden:
        raise
    except ApiError as error:
        raise UserError(error.message) from error
    token = (found.get("data") or {}).get("token")
    if not token:
        raise UserError(f"{filled_by} has not started yet: kubectl get pods -n {namespace}")
    return base64.b64decode(token).decode()


def resolvable(url: str) -> tuple[str, str]:
    """Return a URL that needs no resolver where it is on localhost, and the Host that it takes."""
    parts = urlsplit(url)
    if not (parts.hostname or "").endswith(".localhost"):
        return url, ""
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"127.0.0.1{port}").geturl(), parts.netloc
