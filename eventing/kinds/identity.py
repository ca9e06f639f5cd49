"""The service account that an object sends as, while senders must say who they are. Pure."""

from __future__ import annotations

from typing import Any

from eventing.api import keys
from eventing.api.policyviews import ACCOUNT_SOURCE, account_name
from eventing.kinds.settings import ControlSettings
from eventing.kinds.statuses import OIDC_DISABLED
from hearth.knative.conditions import ConditionManager
from hearth.kube.controllerspec import Lister, Watch, owner_key
from hearth.kube.meta import Object, is_controlled_by, name, namespace, owner_reference, uid
from hearth.kube.plan import Action, Create, Delete
from hearth.kube.resources import SERVICEACCOUNTS, Resource

_FAILED = "Unable to resolve service account for OIDC authentication"


def account_of(lister: Lister, resource: Resource, obj: Object) -> Object | None:
    """Return the account that an object sends as, if it is there."""
    return lister.get(ACCOUNT_SOURCE, namespace(obj), account_name(resource, name(obj)))


def accounts_watch(resource: Resource) -> Watch:
    """Declare that accounts concern the objects they were made for."""
    return Watch(ACCOUNT_SOURCE, owner_key(resource))


def ensured_account(
    resource: Resource, obj: Object, account: Object | None, settings: ControlSettings
) -> tuple[Action, ...]:
    """Return what makes the account while it is needed, and takes it away when it is not."""
    if settings.authenticates:
        return () if account is not None else (Create(SERVICEACCOUNTS, _made(resource, obj)),)
    if account is None or not is_controlled_by(account, obj):
        return ()
    return (Delete(SERVICEACCOUNTS, namespace(obj), name(account), uid=uid(account)),)


def mark_identity(
    resource: Resource,
    obj: Object,
    account: Object | None,
    status: dict[str, Any],
    conditions: ConditionManager,
    settings: ControlSettings,
) -> bool:
    """Tell which account an object sends as, and return whether it is there as it should be."""
    if not settings.authenticates:
        status.pop("auth", None)
        conditions.mark_true(keys.OIDC_IDENTITY_CREATED, OIDC_DISABLED)
        return True
    title = account_name(resource, name(obj))
    status["auth"] = {"serviceAccountName": title}
    if account is not None and not is_controlled_by(account, obj):
        text = f"service account {title} not owned by {resource.kind} {name(obj)}"
        conditions.mark_false(keys.OIDC_IDENTITY_CREATED, _FAILED, text)
        return False
    conditions.mark_true(keys.OIDC_IDENTITY_CREATED)
    return True


def _made(resource: Resource, obj: Object) -> Object:
    text = f'Service Account for OIDC Authentication for {resource.kind} "{name(obj)}"'
    owner = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        **{k: v for k, v in owner_reference(obj).items() if k in ("name", "uid", "controller")},
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": account_name(resource, name(obj)),
            "namespace": namespace(obj),
            "labels": {keys.OIDC_LABEL: "enabled"},
            "annotations": {"description": text},
            "ownerReferences": [owner],
        },
    }
