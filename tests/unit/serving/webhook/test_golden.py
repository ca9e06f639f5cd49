"""Recorded answers of real Knative, against schema, defaults and validation without any server.

What only a server can do is left out here: tries of a pod (dry run), names, managed fields, and
ConfigMaps that are stored together with Knative's own example texts.
"""

import copy
from collections.abc import Iterator
from typing import Any

from hearth.cluster.codec.typecheck import unknown_fields
from hearth.cluster.crd.kinds import kinds_of
from hearth.cluster.crd.shaping import drop_nulls, fill_defaults, prune
from hearth.cluster.model.fielderrors import aggregate
from hearth.cluster.model.kind import Kind
from hearth.knative.admission import decisions
from hearth.knative.admission.configmaps import validate_config_map
from hearth.kube.admission import AdmissionRequest, AdmissionResponse
from hearth.kube.crdgen import crd_object
from hearth.kube.patch import merge_patch
from serving.api.crds import ALL
from serving.api.settings import Settings
from serving.webhook.admission import ADMISSION
from tests.recordings import SERVING_EXCHANGES, exchanges

KINDS: dict[str, Kind] = {
    kind.plural: kind for crd in ALL for kind in kinds_of(crd_object(crd)) if crd.group
}
NAMESPACE = "golden"


def _in_scope(exchange: dict[str, Any]) -> bool:
    message = str((exchange["response"] or {}).get("message", ""))
    if "dry run failed" in message or exchange["method"] == "DELETE":
        return False
    return "/configmaps/" in exchange["path"] or "serving.knative.dev" in exchange["path"]


def _mutated(kind: Kind, new: Any, old: Any, settings: Settings) -> tuple[Any, str]:
    request = _request(kind, new, old)
    answer = decisions.default(ADMISSION.by_kind(), request, settings)
    if not answer.allowed:
        return (
            new,
            f'admission webhook "webhook.serving.knative.dev" denied the request: {answer.message}',
        )
    return copy.deepcopy(answer.changed), ""


def _validated(kind: Kind, new: Any, old: Any, settings: Settings) -> AdmissionResponse:
    request = _request(kind, new, old)
    verdict, _ = decisions.validate(ADMISSION.by_kind(), request, settings)
    return verdict


def _request(kind: Kind, new: Any, old: Any) -> AdmissionRequest:
    return AdmissionRequest(
        uid="1",
        group=kind.group,
        version=kind.version,
        kind=kind.kind,
        resource=kind.plural,
        operation="UPDATE" if old else "CREATE",
        namespace=NAMESPACE,
        username="admin",
        object=new,
        old_object=old,
    )


def answer(
    kind: Kind, new: Any, old: Any, settings: Settings | None = None
) -> tuple[Any, str, list[str]]:
    """The object or None, the message if it is refused, the warnings."""
    settings = settings or Settings()
    properties: Any = kind.schema["properties"]
    warnings = [f'unknown field "{path}"' for path in unknown_fields(new, kind.schema)]
    prune(new, kind.schema, is_resource=True)
    drop_nulls(new, kind.schema)
    fill_defaults(new, kind.schema)
    new["metadata"].setdefault("namespace", NAMESPACE)
    if old is None:
        new.pop("status", None)
    new, refusal = _mutated(kind, new, old, settings)
    if refusal:
        return None, refusal, warnings
    fill_defaults(new, {"properties": properties})
    errors = kind.strategy.validate(new)
    if errors:
        name = new["metadata"]["name"]
        return None, f'{kind.qualified_kind} "{name}" is invalid: {aggregate(errors)}', []
    answered = _validated(kind, new, old, settings)
    warnings += answered.warnings
    if not answered.allowed:
        text = 'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
        return None, text + answered.message, warnings
    return new, "", warnings


def _shown(warnings: list[str]) -> list[str]:
    """As the Warning header has them: a warning of several lines comes as several."""
    quoted = [w.replace("\\", "\\\\").replace('"', '\\"') for w in warnings]
    return sorted(f'299 - "{part}"' for w in quoted for part in w.split("\n"))


def replay() -> Iterator[tuple[dict[str, Any], Any, str, list[str]]]:
    """Each exchange with our answer; what is stored on the way stays."""
    stored: dict[str, Any] = {}
    for exchange in exchanges(SERVING_EXCHANGES):
        path, _, query = exchange["path"].partition("?")
        if not _in_scope(exchange):
            continue
        if "/configmaps/" in path:
            name = path.rpartition("/")[2]
            obj = {"metadata": {"name": name}, **exchange["body"]}
            asked = AdmissionRequest("1", "", "v1", "ConfigMap", "configmaps", "UPDATE", object=obj)
            found = validate_config_map(ADMISSION.config_maps, asked)
            text = 'admission webhook "config.webhook.serving.knative.dev" denied the request: '
            yield exchange, None, "" if found.allowed else text + found.message, []
            continue
        parts = path.split("/")
        body = copy.deepcopy(exchange["body"])
        if exchange["method"] == "POST":
            new, message, warnings = answer(KINDS[parts[-1]], body, None)
            if new is not None and "dryRun" not in query:
                stored[f"{path}/{new['metadata']['name']}"] = new
                _store_revision(stored, new)
        else:
            old = stored[path]
            new, message, warnings = answer(
                KINDS[parts[-2]], merge_patch(old, body), copy.deepcopy(old)
            )
        yield exchange, new, message, warnings


def _store_revision(stored: dict[str, Any], service: Any) -> None:
    """The revision that a controller would make of it."""
    template = service["spec"]["template"]
    name = template["metadata"]["name"]
    stored[f"/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}/revisions/{name}"] = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": copy.deepcopy(template["spec"]),
    }


def _signed(obj: Any) -> dict[str, str]:
    return {
        key: value
        for key, value in (obj["metadata"].get("annotations") or {}).items()
        if key.startswith("serving.knative.dev/") and key.endswith(("creator", "lastModifier"))
    }


def test_answers_as_knative() -> None:
    differences = []
    count = 0
    for exchange, new, message, warnings in replay():
        count += 1
        wanted, was = exchange["response"], exchange["id"]
        is_config_map = "/configmaps/" in exchange["path"]
        server_only = exchange["status"] == 422 and (
            is_config_map or "lowercase RFC 1123" in wanted["message"]
        )
        if server_only:
            continue
        if wanted["kind"] == "Status":
            if message != wanted["message"]:
                differences.append((was, wanted["message"], message or new))
        elif message:
            differences.append((was, "accepted", message))
        elif not is_config_map and new["spec"] != wanted["spec"]:
            differences.append((was, wanted["spec"], new["spec"]))
        elif not is_config_map and wanted["kind"] != "Revision" and _signed(new) != _signed(wanted):
            differences.append((was, wanted["metadata"], new["metadata"]))
        if exchange["status"] != 422 and sorted(exchange.get("warnings", [])) != _shown(warnings):
            differences.append((was, exchange.get("warnings"), _shown(warnings)))
    assert count > 150
    assert differences == []
