"""CustomResourceDefinitions at work: what they add to the API, and what they take away.

A controller inside the server. ``crd`` says what a definition means; this module accepts its
names, serves its kinds, and on deletion removes the objects before the definition.
"""

from __future__ import annotations

from typing import Any

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.crd import names
from hearth.cluster.crd.kinds import kinds_of
from hearth.cluster.lifecycle import background
from hearth.cluster.lifecycle.background import Worker, controller_user
from hearth.cluster.model import status
from hearth.cluster.model.objects import Change, Entry, Key, Object
from hearth.cluster.operations import writes
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.deletes import CLEANUP
from hearth.kube.guards import caught

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
_USER = controller_user("customresourcedefinition-controller")
_MANAGER = "kube-apiserver"


def check_terminating(api: Api, attempt: Attempt) -> None:
    """No object of a kind that is being removed is made."""
    if attempt.operation != "CREATE" or not attempt.kind.custom:
        return
    definition = api.store.get(Key(DEFINITIONS, "", attempt.kind.group_resource))
    if definition is not None and definition.deleting:
        message = "create not allowed while custom resource definition is terminating"
        raise status.ApiStatus(405, "MethodNotAllowed", message, details={})


class DefinitionController:
    """Follows the definitions and the objects of those that are going."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._worker: Worker[str] = Worker("custom-resources", self._process)
        self._served: dict[str, Any] = {}
        self._names: dict[str, tuple[int, Object]] = {}

    def prepare(self) -> None:
        """Serves what was served when the server last stopped, before the first request."""
        for entry in self._api.store.state.entries(DEFINITIONS):
            try:
                self._serve(entry.parse())
            except Exception:
                caught("custom-resources", ("", entry.key.name))

    async def run(self) -> None:
        """Works until it is cancelled."""
        stop = self._api.store.listen_to_all(self._changed)
        try:
            for entry in self._api.store.state.entries(DEFINITIONS):
                self._worker.add(entry.key.name)
            await self._worker.run()
        finally:
            stop()

    def _changed(self, change: Change) -> None:
        resource = change.now.key.resource
        if resource == DEFINITIONS:
            self._worker.add(change.now.key.name)
        elif change.deleted and resource in self._served:
            self._worker.add(resource)

    async def _process(self, name: str) -> None:
        entry = await self._api.store.settled(Key(DEFINITIONS, "", name))
        if entry is None:
            self._withdraw(name)
        elif entry.deleting:
            await self._remove_objects(entry)
        else:
            await self._accept(entry)

    def _withdraw(self, name: str) -> None:
        if self._served.pop(name, None) is not None:
            self._api.kinds.set_custom(name, [])
            self._api.watchers.close(name)

    async def _accept(self, entry: Entry) -> None:
        definition = entry.parse()
        accepted = names.accept(definition, self._others(entry), now=self._api.now())
        if accepted != definition.get("status"):
            await self._write_status(entry.key, accepted)
            definition["status"] = accepted
        self._serve(definition)

    def _others(self, entry: Entry) -> list[Object]:
        """What ``names.accept`` reads of all other definitions; parsed once for each revision.

        A definition is up to a megabyte of schemas, and each of n that are made asks about n.
        """
        kept: dict[str, tuple[int, Object]] = {}
        for other in self._api.store.state.entries(DEFINITIONS):
            if other.key == entry.key:
                continue
            known = self._names.get(other.key.name)
            if known is None or known[0] != other.revision:
                known = other.revision, names.claims(other.parse())
            kept[other.key.name] = known
        self._names = kept
        return [claims for _, claims in kept.values()]

    async def _write_status(self, key: Key, accepted: Object) -> None:
        served = self._api.kinds.by_resource(DEFINITIONS)
        assert served is not None
        write = background.make_write(self._api, served, key, _USER)
        write.subresource, write.manager = "status", _MANAGER

        def change(obj: Object) -> Object:
            return obj | {"status": accepted}

        await writes.update(write, change)

    def _serve(self, definition: Object) -> None:
        """Adds the kinds of a definition, or their new version, to the API."""
        name = definition["metadata"]["name"]
        if not names.is_served(definition):
            return
        shape = (definition["spec"], definition["status"].get("acceptedNames"))
        if self._served.get(name) != shape:
            self._served[name] = shape
            self._api.kinds.set_custom(name, kinds_of(definition))

    async def _remove_objects(self, definition: Entry) -> None:
        """Deletes what is left of the kind; called again whenever one of them is gone."""
        if CLEANUP not in definition.finalizers:
            return
        left = self._api.store.state.entries(definition.key.name)
        for entry in left:
            if not entry.deleting:
                await background.delete(self._api, entry, _USER, policy="Background")
        if not left:
            await background.mutate(
                self._api, definition.key, background.without_finalizer(CLEANUP)
            )
