"""The pods of a run, and what they find in them. Pure.

Bare pods and no Jobs: a Job begins a pod anew by itself when one is lost, so work would be done
twice without being told, and it is one more object and one more step before each job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hearth.kube import meta
from hearth.kube.meta import Object
from hearth.pipelines.api import keys
from hearth.pipelines.sdk.jobs import ARTIFACTS, WORKSPACE, artifacts_folder
from hearth.pipelines.settings import Settings
from hearth.pipelines.views import Run

CONTAINER = "job"
WORKER = "worker"
_RUN_FOLDER, _CLAIM = "/var/run/hearth/run", "workspace"
_READER_SECONDS = 900
_LIKE = (
    *("restartPolicy", "automountServiceAccountToken", "enableServiceLinks"),
    "serviceAccountName",
)
_WORKER_SLACK = 120
"""Seconds beyond a run's own limit after which nobody needs its worker any more."""
_WARM = {"hearth.dev/warm-interpreter": "enabled"}
"""On one machine Hearth's own programs may be forked from an interpreter that has imported them."""
_SHARED = {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}
_MADE_HERE = "dev.local/"
"""What names of images begin with that `hearth pipeline` makes on one machine: environments."""
_FILES = ("script.py", "event.json")
_MOST_NAME = 63


def secret_name(run: Object) -> str:
    """The Secret with the script, the event and the token of a run's worker."""
    return f"{meta.name(run)}-run"


def claim_name(run: Object) -> str:
    """The claim of the folder that the jobs of a run share."""
    return f"{meta.name(run)}-workspace"


def worker_name(run: Object, attempt: int) -> str:
    """The pod of a run's script."""
    return f"{meta.name(run)}-worker-{attempt}"


def job_name(run: Object, job: str, attempt: int) -> str:
    """The pod of a job: one name for each attempt, so that none is made twice."""
    return f"{meta.name(run)}-{job}-{attempt}"


def _metadata(run: Object, name: str, **labels: str) -> Object:
    own = {keys.PIPELINE_LABEL: Run(run).pipeline, keys.RUN_LABEL: meta.name(run)}
    return {
        "name": name,
        "namespace": meta.namespace(run),
        "labels": {**own, **labels},
        "ownerReferences": [meta.owner_reference(run)],
    }


def make_secret(run: Object, token: str) -> Object:
    """Return what the worker reads, and functions but for the token."""
    view = Run(run)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(run, secret_name(run)),
        "stringData": {
            "script.py": str(view.spec.get("script", "")),
            "event.json": json.dumps(view.event),
            "token": token,
        },
    }


def make_claim(run: Object) -> Object:
    """Return the claim of the folder that jobs share."""
    given: Mapping[str, Any] = Run(run).settings.spec.get("workspace") or {}
    spec: dict[str, Any] = {
        "accessModes": [given.get("accessMode") or "ReadWriteOnce"],
        "resources": {"requests": {"storage": given.get("size") or "1Gi"}},
    }
    if given.get("storageClassName"):
        spec["storageClassName"] = given["storageClassName"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(run, claim_name(run)),
        "spec": spec,
    }


def make_worker(run: Object, attempt: int, settings: Settings) -> Object:
    """Return the pod of a run's script; it has no account's token."""
    url = f"{settings.url}/runs/{meta.namespace(run)}/{meta.name(run)}"
    env = {"HEARTH_RUN_URL": url, "HEARTH_ATTEMPT": str(attempt)}
    container = _own(run, "worker", settings, env)
    container["name"] = WORKER
    spec = _pod(run, container, settings, files=(*_FILES, "token"))
    spec["activeDeadlineSeconds"] = Run(run).settings.timeout + _WORKER_SLACK
    labels = {keys.ATTEMPT_LABEL: str(attempt)}
    metadata = _metadata(run, worker_name(run, attempt), **labels)
    return _as_pod({**metadata, "annotations": dict(_WARM)}, spec)


def make_job(run: Object, job: str, attempt: int, settings: Settings) -> Object:
    """Return the pod of one attempt of a job."""
    asked: dict[str, Any] = Run(run).jobs[job]["spec"]
    env = {**asked.get("env", {}), "HEARTH_JOB": job, "HEARTH_ATTEMPT": str(attempt)}
    function = asked.get("function")
    if function:
        env |= {
            "HEARTH_JOB_FUNCTION": function,
            "HEARTH_JOB_ARGUMENTS": asked.get("arguments", "[]"),
        }
        container = _own(run, "function", settings, env) | _container(asked)
    else:
        container = {"image": _image(run, settings), **_container(asked)}
        container["env"] = _variables(run, env)
    container |= {"name": CONTAINER, "terminationMessagePolicy": "FallbackToLogsOnError"}
    container["env"] = [*container["env"], *map(_secret_variable, asked.get("secrets", {}).items())]
    mounts = _shared(asked, job, attempt)
    spec = _pod(run, container, settings, _FILES if function else (), shared=mounts)
    spec["initContainers"] = [_sidecar(each) for each in asked.get("sidecars", ())]
    if asked.get("timeout"):
        spec["activeDeadlineSeconds"] = asked["timeout"]
    labels = {keys.JOB_LABEL: job, keys.ATTEMPT_LABEL: str(attempt)}
    metadata = _metadata(run, job_name(run, job, attempt), **labels)
    metadata["finalizers"] = [keys.UNNOTED_FINALIZER]
    is_warm = function and not spec["initContainers"]
    return _as_pod(metadata | ({"annotations": dict(_WARM)} if is_warm else {}), spec)


def _shared(asked: Mapping[str, Any], job: str, attempt: int) -> list[dict[str, Any]]:
    """What a job has of the run's folder: all of it, a part whose files are kept, or both."""
    part = {"mountPath": ARTIFACTS, "subPath": artifacts_folder(job, attempt)}
    wanted = {"workspace": {"mountPath": WORKSPACE}, "artifacts": part}
    return [{"name": _CLAIM, **mount} for name, mount in wanted.items() if asked.get(name)]


def make_reader(run: Object, like: Object, asked: Mapping[str, Any], name: str) -> Object:
    """Return a pod in which ``reading`` tells what jobs have kept, as the pod of a script is."""
    worker = like["spec"]["containers"][0]
    container = {
        "name": WORKER,
        "image": worker["image"],
        "command": [worker["command"][0], "-c", "import time; time.sleep(900)"],
        "env": [{"name": "HEARTH_ARTIFACTS", "value": json.dumps(asked)}],
        "volumeMounts": [{"name": _CLAIM, "mountPath": WORKSPACE, "readOnly": True}],
    }
    spec = {
        **{key: like["spec"][key] for key in _LIKE if key in like["spec"]},
        "activeDeadlineSeconds": _READER_SECONDS,
        "volumes": [{"name": _CLAIM, "persistentVolumeClaim": {"claimName": claim_name(run)}}],
        "containers": [container],
    }
    owner = meta.owner_reference(run, controller=False)
    metadata = {"name": name, "namespace": meta.namespace(run), "ownerReferences": [owner]}
    return _as_pod(metadata, spec)


def reading(pod: Object) -> list[str]:
    """Return the command that tells it, in such a pod."""
    python = pod["spec"]["containers"][0]["command"][0]
    return [python, "-m", "hearth.pipelines.sdk", "artifacts"]


def _as_pod(metadata: Object, spec: dict[str, Any]) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _own(run: Object, program: str, settings: Settings, env: Mapping[str, str]) -> dict[str, Any]:
    return {
        "image": _image(run, settings),
        "command": [_python(run, settings), "-m", "hearth.pipelines.sdk", program],
        "env": _variables(run, {**env, "PYTHONUNBUFFERED": "1"}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _image(run: Object, settings: Settings) -> str:
    return str(Run(run).settings.spec.get("image") or settings.image)


def _python(run: Object, settings: Settings) -> str:
    """Hearth's own image has an interpreter of its own, others the one that they find."""
    return settings.python if _image(run, settings) == settings.image else "python3"


def _variables(run: Object, env: Mapping[str, str]) -> list[dict[str, Any]]:
    view = Run(run)
    shared = {**(view.settings.spec.get("env") or {}), **env}
    told = {"HEARTH_PIPELINE": view.pipeline, "HEARTH_RUN": meta.name(run)}
    return [{"name": name, "value": value} for name, value in {**shared, **told}.items()]


def _secret_variable(named: tuple[str, str]) -> dict[str, Any]:
    variable, place = named
    secret, _, key = place.partition("/")
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _container(asked: Mapping[str, Any]) -> dict[str, Any]:
    fields = ("image", "command", "args", "resources")
    return {name: asked[name] for name in fields if asked.get(name)}


def _sidecar(asked: Mapping[str, Any]) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in asked.get("env", {}).items()]
    return {**_container(asked), "name": asked["name"], "env": env, "restartPolicy": "Always"}


def _pod(
    run: Object,
    container: dict[str, Any],
    settings: Settings,
    files: tuple[str, ...],
    *,
    shared: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    volumes, mounts = list[dict[str, Any]](), list[dict[str, Any]]()
    if files:
        items = [{"key": each, "path": each} for each in files]
        secret = {"secretName": secret_name(run), "items": items}
        volumes.append({"name": "run", "secret": secret})
        mounts.append({"name": "run", "mountPath": _RUN_FOLDER, "readOnly": True})
    if shared:
        claim = {"claimName": claim_name(run)}
        volumes.append({"name": _CLAIM, "persistentVolumeClaim": claim})
        mounts += shared
    # What Hearth's own programs need on one machine they are told in variables; see Settings.
    is_process = container["image"] == settings.image or container["image"].startswith(_MADE_HERE)
    is_told = not settings.in_cluster and is_process and bool(files)
    if mounts and not is_told:
        container["volumeMounts"] = mounts
    # A volume of a cluster is root's, and an image's program often somebody else.
    is_shared = settings.in_cluster and bool(shared)
    account = Run(run).settings.spec.get("serviceAccountName")
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **({"securityContext": dict(_SHARED)} if is_shared else {}),
        **({"serviceAccountName": account} if account else {}),
        **({"volumes": volumes} if volumes else {}),
        "containers": [container],
    }
