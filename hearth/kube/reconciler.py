"""Runs one declared controller on a key: observe, decide, write, and what a refusal means.

The shell around the pure parts of a ``ControllerSpec``. ``hearth.kube.manager`` makes one for each
spec and gives it to a ``Controller``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Generic

from hearth.kube.clock import Clock
from hearth.kube.controllerspec import ControllerSpec, Lister, Observed, Settings
from hearth.kube.endings import BELIEVED_SECONDS, Endings
from hearth.kube.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    Invalid,
    NamespaceEnding,
    NameTaken,
    NotFound,
    Retryable,
)
from hearth.kube.meta import Key
from hearth.kube.plan import Plan
from hearth.kube.postponement import Postponement

Apply = Callable[[Plan, str], Awaitable[None]]
"""Carries a plan out in the name of a field manager."""


class Reconciler(Generic[Observed, Settings]):
    """Call it with a key; it returns the seconds after which to look again."""

    def __init__(
        self,
        spec: ControllerSpec[Observed, Settings],
        lister: Lister,
        *,
        settings: Callable[[], Settings],
        apply: Apply,
        clock: Clock,
        endings: Endings,
        manager: str,
    ) -> None:
        self._spec = spec
        self._lister = lister
        self._settings = settings
        self._apply = apply
        self._clock = clock
        self._endings = endings
        self._manager = spec.field_manager or manager
        self._postponement = Postponement(spec.can_wait, spec.delay_seconds)

    async def __call__(self, key: Key) -> float | None:
        """Bring one object's part of the cluster nearer to what the object asks for."""
        observed = self._spec.observe(self._lister, key)
        if observed is None:
            self._postponement.forget(key)
            return None
        plan = self._spec.reconcile(observed, settings=self._settings(), now=self._clock())
        stored = self._lister.get(self._spec.source, *key)
        plan = self._postponement.split(key, stored, plan, now=asyncio.get_running_loop().time())
        try:
            return await self._carry_out(self._endings.without_refusals(plan))
        except NotFound as error:
            raise Retryable(error.message) from error  # it went while we looked
        except NamespaceEnding as error:
            self._endings.learn(error.namespace)
            return BELIEVED_SECONDS  # the namespace takes everything with it
        except (BadRequest, Forbidden, Invalid, NameTaken) as error:
            return await self._refused(key, error)

    async def _refused(self, key: Key, error: ApiError) -> float | None:
        """Other writes of the plan may have been done: what to say is decided on a new look."""
        refused, observed = self._spec.refused, self._spec.observe(self._lister, key)
        if refused is None or observed is None:
            raise error
        plan = refused(observed, error.message, now=self._clock())
        if plan is None:
            raise error
        again = await self._carry_out(replace(plan, retry=False))
        if plan.retry:
            raise error
        return again

    async def _carry_out(self, plan: Plan) -> float | None:
        await self._apply(plan, self._manager)
        if plan.retry:
            raise Retryable("the plan asks for another look")
        return plan.requeue_after
