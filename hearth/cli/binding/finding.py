"""What a word behind ``--bind`` stands for: a Secret, a provisioned service, a server that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.cli.binding import local
from hearth.cli.errors import UserError
from hearth.functions.binding.services import entries_of, kind_of
from hearth.functions.binding.wishes import Wish, secret_object
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import CRDS, SECRETS, Resource

PROVISIONED = "servicebinding.io/provisioned-service"
_TYPE = "servicebinding.io/"


@dataclass(frozen=True, slots=True)
class Found:
    """What is bound: an object, its Secret, and what is in that."""

    to: Mapping[str, str]
    """Reference to the service, or the Secret itself."""
    secret: str = ""
    """Its name; "" where the service has none yet."""
    type: str = ""
    keys: Sequence[str] = ()
    made: Object | None = field(default=None)
    """The Secret, where it is to be made."""


async def find(
    client: KubeClient, wish: Wish, service: str, namespace: str, *, is_here: bool
) -> Found:
    """Return what is meant; raise UserError which says what there is instead."""
    name = f"{service}-{wish.alias}"
    if wish.is_url:
        return _made(secret_object(name, namespace, entries_of(wish.what)))
    if "/" in wish.what:
        return await _provisioned(client, wish.what, namespace)
    for title in (wish.what, name):
        if (secret := await secret_named(client, title, namespace)) is not None:
            return _direct(secret)
    for resource in await _provisioned_kinds(client):
        found = await _maybe(client, resource, wish.what, namespace)
        if found is not None:
            return await _of(client, resource, found)
    return await _local(wish, service, namespace, is_here=is_here)


async def _local(wish: Wish, service: str, namespace: str, *, is_here: bool) -> Found:
    kind = kind_of(wish.what)
    if kind is None:
        raise UserError(
            f"--bind {wish}: there is no Secret and no service of that name in namespace "
            f"{namespace!r}; `hearth bindings` lists what can be bound"
        )
    if not is_here:
        raise UserError(
            f"--bind {wish}: a server of this machine is not reached from a cluster; give a URL, "
            f"{kind.scheme}://USER:PASSWORD@HOST/NAME, or the name of a Secret"
        )
    servers = await local.find([kind], wish.port)
    if not servers:
        raise UserError(
            f"--bind {wish}: no {kind.type} answers at {local.HOST}:{wish.port or kind.port}; "
            f"start it, name its port ({wish}:PORT), or give a URL, {kind.scheme}://USER@HOST/NAME"
        )
    entries = local.entries(servers[0], service)
    return _made(secret_object(f"{service}-{wish.alias}", namespace, entries))


def _made(secret: Object) -> Found:
    found = _direct(secret)
    return Found(found.to, found.secret, found.type, found.keys, made=secret)


def _direct(secret: Object) -> Found:
    title = meta.name(secret)
    to = {"apiVersion": "v1", "kind": "Secret", "name": title}
    return Found(to, title, type_of(secret), list(secret.get("data") or {}))


def type_of(secret: Object) -> str:
    """Return what kind of service a Secret is for: by its entry ``type``, else by its own type."""
    import base64

    said = (secret.get("data") or {}).get("type")
    if said:
        return base64.b64decode(said).decode("utf-8", "replace").strip()
    kind = str(secret.get("type") or "")
    return kind.removeprefix(_TYPE) if kind.startswith(_TYPE) else ""


async def secret_named(client: KubeClient, name: str, namespace: str) -> Object | None:
    """Return a Secret; None where there is none."""
    return await _maybe(client, SECRETS, name, namespace)


async def _maybe(
    client: KubeClient, resource: Resource, name: str, namespace: str
) -> Object | None:
    try:
        return await client.get(resource, name, namespace)
    except NotFound:
        return None


# -- provisioned services --------------------------------------------------------------------------


async def _provisioned(client: KubeClient, text: str, namespace: str) -> Found:
    """``KIND.GROUP/NAME``, with the kind or the plural."""
    kind, _, name = text.partition("/")
    singular, _, group = kind.partition(".")
    for definition in (await client.list(CRDS))[0]:
        spec = definition["spec"]
        called = {spec["names"][each].lower() for each in ("kind", "plural")}
        if spec["group"] == group and singular.lower() in called:
            resource = _resource(definition)
            found = await _maybe(client, resource, name, namespace)
            if found is None:
                raise UserError(f"--bind {text}: there is no such object in {namespace!r}")
            return await _of(client, resource, found)
    raise UserError(f"--bind {text}: there is no kind {kind!r}: give KIND.GROUP/NAME")


async def _provisioned_kinds(client: KubeClient) -> list[Resource]:
    try:
        definitions, _ = await client.list(CRDS, label_selector=f"{PROVISIONED}=true")
    except ApiError:  # one need not be allowed to look
        return []
    return [_resource(each) for each in definitions]


def _resource(definition: Object) -> Resource:
    spec = definition["spec"]
    version = next(each["name"] for each in spec["versions"] if each.get("served"))
    return Resource(spec["group"], version, spec["names"]["plural"], spec["names"]["kind"])


async def _of(client: KubeClient, resource: Resource, service: Object) -> Found:
    to = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": meta.name(service),
    }
    title = secret_of(service)
    secret = await secret_named(client, title, meta.namespace(service)) if title else None
    if secret is None:
        return Found(to, title)
    return Found(to, title, type_of(secret), list(secret.get("data") or {}))


def secret_of(service: Object) -> str:
    """Return the Secret that a provisioned service names; "" where it names none."""
    status: Mapping[str, Any] = service.get("status") or {}
    return str((status.get("binding") or {}).get("name") or "")


async def candidates(client: KubeClient, namespace: str) -> list[dict[str, str]]:
    """Return what can be bound in a namespace, but for servers: name, kind, type."""
    found = [*_bindable((await client.list(SECRETS, namespace))[0])]
    for resource in await _provisioned_kinds(client):
        for each in (await client.list(resource, namespace))[0]:
            named = f"{resource.plural}.{resource.group}/{meta.name(each)}"
            found.append(
                {"name": named, "kind": resource.kind, "type": "", "secret": secret_of(each)}
            )
    return found


def _bindable(secrets: Sequence[Object]) -> Iterator[dict[str, str]]:
    for secret in secrets:
        if kind := type_of(secret):
            yield {
                "name": meta.name(secret),
                "kind": "Secret",
                "type": kind,
                "secret": meta.name(secret),
            }
