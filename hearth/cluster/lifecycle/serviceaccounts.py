"""Pods name service accounts that are there. Called by ``admit``."""

from __future__ import annotations

from hearth.cluster.admission.attempt import Attempt
from hearth.cluster.model import status
from hearth.cluster.model.objects import Key
from hearth.cluster.operations.api import Api

_DEFAULT = "default"


def check_service_account(api: Api, attempt: Attempt) -> None:
    """Refuses a new pod whose account does not exist; the default one is made in time."""
    is_new_pod = attempt.kind.group_resource == "pods" and attempt.operation == "CREATE"
    if not is_new_pod or attempt.subresource or attempt.obj is None:
        return
    account = (attempt.obj.get("spec") or {}).get("serviceAccountName") or _DEFAULT
    key = Key("serviceaccounts", attempt.namespace, account)
    if account == _DEFAULT or api.store.get(key) is not None:
        return
    metadata = attempt.obj.get("metadata") or {}
    raise status.forbidden(
        "",
        "pods",
        metadata.get("generateName") or metadata.get("name", ""),
        why=f"error looking up service account {attempt.namespace}/{account}: "
        f'serviceaccount "{account}" not found',
    )
