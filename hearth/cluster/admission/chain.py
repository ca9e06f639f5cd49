"""The chain of webhooks that every write passes: first those that change it, then those that judge.

``AdmissionChain`` is the ``Admission`` of the API server. Mutating webhooks are called one after
the other, each seeing what the one before made of the object, and those that ask for it once more
when a later one changed something. Validating webhooks are called at the same time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.admission.caller import Caller, CallError, Services, no_services
from hearth.cluster.admission.conditions import ConditionError
from hearth.cluster.admission.registrations import (
    Webhook,
    is_exempt,
    matching_version,
    selects_objects,
    webhooks_of,
)
from hearth.cluster.admission.review import (
    Answer,
    BadAnswer,
    in_version,
    make_review,
    read_answer,
    review_version,
)
from hearth.cluster.model import status
from hearth.cluster.model.kind import Kind, Object
from hearth.kube.guards import caught
from hearth.kube.patch import PatchError, json_patch

_log = logging.getLogger(__name__)


def _new_uid() -> str:
    return str(uuid.uuid4())


def _only(kind: Kind) -> Sequence[Kind]:
    return (kind,)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the chain asks of the server around it."""

    namespace_labels: Callable[[str], Mapping[str, str] | None]  # None: there is no such namespace
    versions: Callable[[Kind], Sequence[Kind]] = _only  # all served versions, the given one first
    services: Services = no_services
    new_uid: Callable[[], str] = _new_uid


def compiled(configurations: Iterable[Object]) -> tuple[Webhook, ...]:
    """The webhooks of all configurations by name; one that cannot be read is left out."""
    webhooks: list[Webhook] = []
    for configuration in sorted(configurations, key=lambda c: str(c["metadata"]["name"])):
        try:
            webhooks += webhooks_of(configuration)
        except Exception:
            caught("webhook-configurations", ("", str(configuration["metadata"]["name"])))
    return tuple(webhooks)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The webhooks of one moment; requests under way keep theirs."""

    mutating: tuple[Webhook, ...] = ()
    validating: tuple[Webhook, ...] = ()


class AdmissionChain:
    """Calls webhooks for writes; close it with the server."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._caller = Caller(surroundings.services)
        self._snapshot = Snapshot()

    def register(self, mutating: Iterable[Object], validating: Iterable[Object]) -> None:
        """Replaces all registrations by these webhook configurations."""
        self._snapshot = Snapshot(compiled(mutating), compiled(validating))

    async def close(self) -> None:
        """Closes the connections to all webhooks."""
        await self._caller.close()

    async def mutate(self, attempt: Attempt) -> Object | None:
        """The object as the mutating webhooks want it; the given one when none changed it."""
        webhooks = self._snapshot.mutating
        if not webhooks or is_exempt(attempt.kind):
            return attempt.obj
        rounds = _Rounds()
        for webhook in webhooks:
            attempt = await self._mutate_once(webhook, attempt, rounds)
        if rounds.again:
            for webhook in webhooks:
                if webhook.uid in rounds.again:
                    attempt = await self._mutate_once(webhook, attempt, _Rounds())
        return attempt.obj

    async def _mutate_once(self, webhook: Webhook, attempt: Attempt, rounds: _Rounds) -> Attempt:
        kind = self._concerned(webhook, attempt)
        if kind is None:
            return attempt
        answer = await self._ask(webhook, attempt, kind, mutating=True)
        changed = attempt
        if answer is not None and answer.patch:
            changed = _patched(webhook, attempt, kind, answer)
        rounds.called(webhook, changed=changed.obj != attempt.obj)
        return changed

    async def validate(self, attempt: Attempt) -> None:
        """Raises the first refusal, in the order of the webhooks."""
        webhooks = self._snapshot.validating
        if not webhooks or is_exempt(attempt.kind):
            return
        concerned = [(w, k) for w in webhooks if (k := self._concerned(w, attempt)) is not None]
        if len(concerned) == 1:
            await self._ask(concerned[0][0], attempt, concerned[0][1], mutating=False)
            return
        results = await asyncio.gather(
            *(self._ask(w, attempt, kind, mutating=False) for w, kind in concerned),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    # -- which webhooks --------------------------------------------------------------------

    def _concerned(self, webhook: Webhook, attempt: Attempt) -> Kind | None:
        """The version in which the webhook is to see the object; None: it is not to be asked."""
        if not webhook.may_concern(attempt.kind):
            return None
        is_namespace = attempt.kind.group_resource == "namespaces"
        kind = matching_version(
            webhook,
            attempt.operation,
            attempt.subresource,
            kinds=self._around.versions(attempt.kind),
            namespaced=bool(attempt.namespace) and not is_namespace,
        )
        if kind is None or not self._in_namespaces(webhook, attempt, is_namespace):
            return None
        if not selects_objects(webhook, attempt.obj, attempt.old):
            return None
        if webhook.conditions and not self._meets_conditions(webhook, attempt, kind):
            return None
        return kind

    def _in_namespaces(self, webhook: Webhook, attempt: Attempt, is_namespace: bool) -> bool:
        if not webhook.namespaces.requirements or not (attempt.namespace or is_namespace):
            return True
        if is_namespace and not attempt.subresource and attempt.obj is not None:
            labels = attempt.obj["metadata"].get("labels") or {}
        else:
            name = attempt.name if is_namespace else attempt.namespace
            namespace_labels = self._around.namespace_labels(name)
            if namespace_labels is None:
                raise status.not_found("", "namespaces", name)
            labels = dict(namespace_labels)
        return webhook.namespaces.matches(labels)

    def _meets_conditions(self, webhook: Webhook, attempt: Attempt, kind: Kind) -> bool:
        users = webhook.conditions.passes_all_but
        if users is not None:
            return attempt.user.name not in users
        request = json.loads(make_review(attempt, kind, uid="", version="v1"))["request"]
        variables: dict[str, Any] = {
            "object": request["object"],
            "oldObject": request["oldObject"],
            "request": request,
        }
        try:
            return webhook.conditions.match(variables)
        except ConditionError as error:
            if webhook.ignores_failure:
                return False
            kind = attempt.kind
            raise status.forbidden(kind.group, kind.plural, attempt.name, why=str(error)) from error

    # -- one call --------------------------------------------------------------------------

    async def _ask(
        self, webhook: Webhook, attempt: Attempt, kind: Kind, *, mutating: bool
    ) -> Answer | None:
        """The answer of a webhook; None when it failed and failures are to be ignored."""
        if attempt.dry_run and webhook.has_side_effects:
            name = json.dumps(webhook.name)
            raise status.bad_request(f"admission webhook {name} does not support dry run")
        try:
            answer = await self._call(webhook, attempt, kind, mutating=mutating)
        except CallError as error:
            reason = f"failed calling webhook {json.dumps(webhook.name)}: {error}"
            if not webhook.ignores_failure:
                raise status.internal(reason) from error
            _log.warning("webhook failed open", extra={"webhook": webhook.name, "error": reason})
            return None
        attempt.warnings.extend(answer.warnings)
        if answer.denied is not None:
            raise answer.denied
        return answer

    async def _call(
        self, webhook: Webhook, attempt: Attempt, kind: Kind, *, mutating: bool
    ) -> Answer:
        uid = self._around.new_uid()
        try:
            version = review_version(webhook.review_versions)
        except BadAnswer as error:
            raise CallError(f"could not create admission objects: {error}") from error
        body = make_review(attempt, kind, uid=uid, version=version)
        try:
            answered = await self._caller.post(
                webhook.target, body, timeout_seconds=webhook.timeout_seconds
            )
        except CallError as error:
            raise CallError(f"failed to call webhook: {error}") from error
        try:
            return read_answer(
                answered, uid=uid, version=version, webhook=webhook.name, mutating=mutating
            )
        except BadAnswer as error:
            raise CallError(f"received invalid webhook response: {error}") from error


class _Rounds:
    """Who must be asked again: those that were asked before somebody else changed the object."""

    def __init__(self) -> None:
        self.again: set[str] = set()
        self._before: set[str] = set()

    def called(self, webhook: Webhook, *, changed: bool) -> None:
        if changed:
            self.again |= self._before
            self._before = set()
        if webhook.is_reinvocable:
            self._before.add(webhook.uid)


def _patched(webhook: Webhook, attempt: Attempt, kind: Kind, answer: Answer) -> Attempt:
    """The attempt with the object as the webhook's patch makes it."""
    if attempt.obj is None:
        raise status.internal(
            f"admission webhook {json.dumps(webhook.name)} attempted to modify the object, which "
            "is not supported for this operation"
        )
    try:
        changed = json_patch(in_version(attempt.obj, kind), answer.patch or [])
    except PatchError as error:
        raise status.internal(str(error)) from error
    if not isinstance(changed, dict):
        raise status.internal("the patch of a webhook left no object")
    changed = {**changed, "apiVersion": attempt.obj["apiVersion"]}
    if not attempt.subresource or attempt.subresource == "status":
        strategy = attempt.kind.strategy
        (strategy.default_again or strategy.default)(changed)
    return replace(attempt, obj=changed)
