"""What a deployment binds its Service to: written before it, ended with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from hearth.cli.binding.applying import (
    Meant,
    Say,
    bound,
    end,
    hold,
    make,
    part,
    release,
    resolve,
    take_back,
)
from hearth.cli.deploy.wanted import DeployOptions, Wanted
from hearth.cli.errors import UserError
from hearth.functions.binding.wishes import wishes_of
from hearth.kube.client import KubeClient
from hearth.kube.clock import wall_clock
from hearth.kube.errors import ApiError
from hearth.kube.meta import Object

Written = tuple[Object, str]
Apply = Callable[[Callable[[Object], Object]], Awaitable[Written]]
"""Writes the Service as it is after a change, and returns it with what it is to follow."""


def binding_words(what: Wanted) -> list[str]:
    """Return a line for each binding that is asked for."""
    return [f"binds: {wish}, as {wish.alias}" for wish in wishes_of(what.settings.bind or ())]


class Bindings:
    """Those that begin and end with a deployment."""

    def __init__(
        self, client: KubeClient, meant: Sequence[Meant], parted: Sequence[Object]
    ) -> None:
        self._client, self._meant, self._parted = client, meant, parted

    @classmethod
    async def of(cls, client: KubeClient, options: DeployOptions, what: Wanted) -> Bindings:
        """Find out what is meant, which may ask on the terminal; nothing is written."""
        wishes, is_here = wishes_of(what.settings.bind or ()), options.kubeconfig is None
        meant = await resolve(client, wishes, what.name, what.namespace, is_here=is_here)
        return cls(client, meant, await part(client, options.unbind, what.name, what.namespace))

    async def around(self, service: Object, apply: Apply, say: Say) -> Written:
        """Write them before the Service; nothing of them stays where that is refused."""
        client, parted, now = self._client, self._parted, wall_clock()
        made = await make(client, self._meant, service, now=now, say=say)
        await hold(client, parted, now=now)
        try:
            written = await apply(partial(bound, made=made, parted=parted))
        except (ApiError, UserError):
            await take_back(client, service["metadata"]["namespace"], made)
            raise
        await release(client, written[0], made)
        await end(client, parted, say)
        return written
