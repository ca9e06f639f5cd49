"""Namespaces: what every one has, and how one is emptied before it goes.

A controller inside the server. Each active namespace gets the ServiceAccount ``default`` and the
ConfigMap ``kube-root-ca.crt``; a terminating one loses its content, then its finalizer.
"""

from __future__ import annotations

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.lifecycle import background
from hearth.cluster.lifecycle.background import Worker, controller_user
from hearth.cluster.model import status
from hearth.cluster.model.objects import Change, Entry, Key, Object
from hearth.cluster.operations.api import Api

NAMESPACES = "namespaces"
FINALIZER = "kubernetes"
DEFAULT_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_USER = controller_user("namespace-controller")
_PUBLISHER = controller_user("root-ca-cert-publisher")
_ACCOUNTS = controller_user("service-account-controller")
_ROOT_CA = "kube-root-ca.crt"
_ROOT_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


def namespace_key(name: str) -> Key:
    """Where a namespace is in the store."""
    return Key(NAMESPACES, "", name)


def check_namespace(api: Api, attempt: Attempt) -> None:
    """Objects are made in namespaces that are there and not on their way out."""
    if attempt.operation != "CREATE" or not attempt.kind.namespaced or attempt.subresource:
        return
    entry = api.store.get(namespace_key(attempt.namespace))
    if entry is None:
        raise status.not_found("", NAMESPACES, attempt.namespace)
    if entry.deleting:
        raise _terminating(attempt)


def _terminating(attempt: Attempt) -> status.ApiStatus:
    why = (
        f"unable to create new content in namespace {attempt.namespace} because it is being "
        "terminated"
    )
    name = ((attempt.obj or {}).get("metadata") or {}).get("name", "")
    refusal = status.forbidden(attempt.kind.group, attempt.kind.plural, name, why=why)
    assert refusal.details is not None
    refusal.details["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {attempt.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return refusal


def check_deletion(attempt: Attempt) -> None:
    """The namespaces that a cluster needs stay."""
    kept = ("default", "kube-system", "kube-public")
    if (
        attempt.operation == "DELETE"
        and attempt.kind.group_resource == NAMESPACES
        and attempt.name in kept
    ):
        why = "this namespace may not be deleted"
        raise status.forbidden("", NAMESPACES, attempt.name, why=why)


def released(obj: Object) -> Object | None:
    """The namespace without Kubernetes' finalizer. Pure."""
    finalizers = (obj.get("spec") or {}).get("finalizers") or []
    if FINALIZER not in finalizers:
        return None
    kept = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
    if kept:
        obj["spec"]["finalizers"] = kept
    else:
        del obj["spec"]["finalizers"]
    return obj


class NamespaceController:
    """Follows namespaces, and deletions inside those that are terminating."""

    def __init__(self, api: Api, ca_certificate: str) -> None:
        self._api = api
        self._ca_certificate = ca_certificate
        self._worker: Worker[str] = Worker("namespaces", self._process)

    async def prepare(self) -> None:
        """The namespaces that are always there, before the first request."""
        for name in DEFAULT_NAMESPACES:
            namespace: Object = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
            }
            await background.create(self._api, namespace_key(name), namespace, _USER)
            await self._process(name)

    async def run(self) -> None:
        """Works until it is cancelled."""
        stop = self._api.store.listen_to_all(self._changed)
        try:
            for entry in self._api.store.state.entries(NAMESPACES):
                self._worker.add(entry.key.name)
            await self._worker.run()
        finally:
            stop()

    def _changed(self, change: Change) -> None:
        key = change.now.key
        if key.resource == NAMESPACES:
            self._worker.add(key.name)
        elif change.deleted and key.namespace:
            self._worker.add(key.namespace)

    async def _process(self, name: str) -> None:
        entry = self._api.store.get(namespace_key(name))
        if entry is None:
            return
        if entry.deleting:
            await self._empty(entry)
        else:
            await self._furnish(name)

    async def _furnish(self, namespace: str) -> None:
        account: Object = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }
        key = Key("serviceaccounts", namespace, "default")
        await background.create(self._api, key, account, _ACCOUNTS)
        bundle: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _ROOT_CA,
                "namespace": namespace,
                "annotations": {"kubernetes.io/description": _ROOT_CA_DESCRIPTION},
            },
            "data": {"ca.crt": self._ca_certificate},
        }
        key = Key("configmaps", namespace, _ROOT_CA)
        await background.create(self._api, key, bundle, _PUBLISHER)

    async def _empty(self, namespace: Entry) -> None:
        """Deletes what is not being deleted yet; called again whenever something is gone."""
        state = self._api.store.state
        content = [
            entry
            for resource in state.resources()
            for entry in state.entries(resource, namespace.key.name)
        ]
        for entry in content:
            if not entry.deleting:
                await background.delete(self._api, entry, _USER, policy="Background")
        if not content:
            await background.mutate(self._api, namespace.key, released)
