"""Makes the ServiceBindings of a deployment, before its Service is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hearth.cli.binding.finding import Found, find, secret_named
from hearth.cli.errors import UserError
from hearth.functions.binding.services import variables
from hearth.functions.binding.wishes import MANAGED, Wish, binding_object
from hearth.knative.resources import KSERVICES
from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object
from hearth.kube.resources import SECRETS, Resource
from hearth.servicebinding.binding import projection_of
from hearth.servicebinding.keys import HELD, SERVICEBINDINGS
from hearth.servicebinding.mapping import built_in
from hearth.servicebinding.projection import project, unproject

_MANAGER = "hearth-deploy"
_HELD_SECONDS = 20.0
Say = Callable[[str], None]
Meant = tuple[Wish, Found]


@dataclass(frozen=True, slots=True)
class Made:
    """One binding, with the Secret that it gives."""

    binding: Object
    secret: str
    written: Sequence[tuple[Resource, str]]
    """What this deployment has made new."""


async def resolve(
    client: KubeClient, wishes: Iterable[Wish], service: str, namespace: str, *, is_here: bool
) -> list[Meant]:
    """Find out what is meant, which may ask on the terminal; nothing is written."""
    return [
        (each, await find(client, each, service, namespace, is_here=is_here)) for each in wishes
    ]


async def make(
    client: KubeClient, meant: Iterable[Meant], service: Object, *, now: float, say: Say
) -> list[Made]:
    """Write Secrets and ServiceBindings; ``service`` is what is to be bound, as it is wanted.

    The bindings are held until ``release``, or for a while: the Service is written with all of
    them.
    """
    made: list[Made] = []
    taken = _taken(service)
    for wish, found in meant:
        name, namespace = meta.name(service), meta.namespace(service)
        known = await _known(client, f"{name}-{wish.alias}", namespace)
        env = known or list(variables(found.type, found.keys, wish.alias, taken))
        taken |= {variable for variable, _ in env}
        binding = binding_object(name, namespace, wish.alias, found.to, env)
        binding["metadata"]["annotations"] = {HELD: f"{now + _HELD_SECONDS:.0f}"}
        try:
            made.append(await _write(client, binding, found))
        except NotFound as error:
            raise UserError(
                "this cluster serves no ServiceBinding: hearth install --overlay servicebinding"
            ) from error
        told = ", ".join(variable for variable, _ in env) or "files alone"
        say(f"binds: {found.type or wish.alias} from {_source(found)}, as {wish.alias} ({told})")
    return made


def _taken(service: Object) -> set[str]:
    containers = service["spec"]["template"]["spec"].get("containers") or ()
    return {each["name"] for container in containers for each in container.get("env") or ()}


async def _known(client: KubeClient, name: str, namespace: str) -> list[tuple[str, str]]:
    """The variables of a binding that is there: they stay, and are the service's already."""
    try:
        binding = await client.get(SERVICEBINDINGS, name, namespace)
    except NotFound:
        return []
    return [(each["name"], each["key"]) for each in binding["spec"].get("env") or ()]


def _source(found: Found) -> str:
    return f"{found.to['kind']} {found.to['name']}"


async def _write(client: KubeClient, binding: Object, found: Found) -> Made:
    written: list[tuple[Resource, str]] = []
    if found.made is not None:
        if await _is_new(client, SECRETS, found.made):
            written.append((SECRETS, found.secret))
        await client.apply(SECRETS, found.made, field_manager=_MANAGER)
    if await _is_new(client, SERVICEBINDINGS, binding):
        written.append((SERVICEBINDINGS, meta.name(binding)))
    applied = await client.apply(SERVICEBINDINGS, binding, field_manager=_MANAGER)
    return Made(applied, found.secret, written)


async def _is_new(client: KubeClient, resource: Resource, obj: Object) -> bool:
    try:
        await client.get(resource, meta.name(obj), meta.namespace(obj))
    except NotFound:
        return True
    return False


async def part(
    client: KubeClient, aliases: Iterable[str], service: str, namespace: str
) -> list[Object]:
    """Return the bindings that are to end; raise UserError where there is none of that name."""
    found = []
    for alias in aliases:
        try:
            found.append(await client.get(SERVICEBINDINGS, f"{service}-{alias}", namespace))
        except NotFound as error:
            raise UserError(
                f"--unbind {alias}: {service} has no binding of that name; `hearth bindings` lists "
                "what is bound"
            ) from error
    return found


def bound(service: Object, made: Iterable[Made], parted: Iterable[Object] = ()) -> Object:
    """Return a Service as its bindings will have it, so that its next revision is right at once."""
    kind = built_in("services.serving.knative.dev")
    for each in made:
        if each.secret:
            service = project(service, projection_of(each.binding, each.secret), kind, "v1")
    for binding in parted:
        service = unproject(service, meta.uid(binding), kind, "v1")
    return service


async def hold(client: KubeClient, parted: Iterable[Object], *, now: float) -> None:
    """Have the controller leave alone what is to end, while the Service is written without it."""
    for binding in parted:
        await _held(client, binding, f"{now + _HELD_SECONDS:.0f}")


async def end(client: KubeClient, parted: Iterable[Object], say: Say) -> None:
    """Delete bindings, and the Secrets that were made for them alone."""
    for binding in parted:
        name, namespace = meta.name(binding), meta.namespace(binding)
        await client.delete(SERVICEBINDINGS, name, namespace)
        secret = await secret_named(client, name, namespace)
        if secret is not None and meta.labels(secret).items() >= MANAGED.items():
            await client.delete(SECRETS, name, namespace)
        say(f"unbound: {binding['spec'].get('name') or name}")


async def release(client: KubeClient, service: Object, made: Iterable[Made]) -> None:
    """Leave bindings to their controller; what was made new goes when the Service goes."""
    owner = {
        "apiVersion": KSERVICES.api_version,
        "kind": KSERVICES.kind,
        "name": meta.name(service),
        "uid": meta.uid(service),
    }
    namespace = meta.namespace(service)
    for each in made:
        for resource, name in each.written:
            change = {"metadata": {"ownerReferences": [owner]}}
            await client.patch(resource, name, namespace, change)
        await _held(client, each.binding, None)


async def take_back(client: KubeClient, namespace: str, made: Iterable[Made]) -> None:
    """Remove what was made for a Service that could not be written."""
    for each in made:
        with contextlib.suppress(ApiError):
            await _held(client, each.binding, None)
        for resource, name in each.written:
            with contextlib.suppress(ApiError):
                await client.delete(resource, name, namespace)


async def _held(client: KubeClient, binding: Object, until: str | None) -> None:
    change = {"metadata": {"annotations": {HELD: until}}}
    await client.patch(SERVICEBINDINGS, meta.name(binding), meta.namespace(binding), change)
