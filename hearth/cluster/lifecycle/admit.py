"""Admission: the server's own checks, then the webhooks, last the quotas."""

from __future__ import annotations

from hearth.cluster.admission.attempt import Admission, Attempt
from hearth.cluster.lifecycle import (
    customresources,
    limitranges,
    namespaces,
    priorities,
    runtimeclasses,
    serviceaccounts,
)
from hearth.cluster.lifecycle.quotas import Quotas
from hearth.cluster.model.objects import Object
from hearth.cluster.operations.api import Api


class ServerAdmission:
    """What every write passes through; see ``admission.attempt.Admission``."""

    def __init__(self, api: Api, webhooks: Admission, quotas: Quotas) -> None:
        self._api = api
        self._webhooks = webhooks
        self._quotas = quotas

    async def mutate(self, attempt: Attempt) -> Object | None:
        """The server's own checks, then the mutating webhooks."""
        namespaces.check_namespace(self._api, attempt)
        namespaces.check_deletion(attempt)
        customresources.check_terminating(self._api, attempt)
        limitranges.admit_defaults(self._api, attempt)
        serviceaccounts.check_service_account(self._api, attempt)
        priorities.admit_priority(self._api, attempt)
        runtimeclasses.admit_class(self._api, attempt)
        return await self._webhooks.mutate(attempt)

    async def validate(self, attempt: Attempt) -> None:
        """The bounds of the namespace, the validating webhooks, the quotas."""
        limitranges.check_bounds(self._api, attempt)
        runtimeclasses.check_overhead(self._api, attempt)
        await self._webhooks.validate(attempt)
        self._quotas.admit(attempt)
