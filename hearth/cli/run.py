"""``hearth run``: one component in this process, in a pod.

Exit codes: 0 after an orderly end, 1 when something failed that nobody foresaw, 69 when the API
server cannot be reached, 77 when it refuses us, 78 when a setting, a kubeconfig or the cluster is
not as it has to be.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from hearth.cli.components import COMPONENTS
from hearth.cli.settings import InvalidSetting, Settings, from_environment
from hearth.install.preflight import OLDEST_MINOR
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, Forbidden, NotFound, Unauthorized
from hearth.kube.kubeconfig import service_account_kubeconfig
from hearth.observability.logs import configure_logging
from hearth.process import Main, ProcessConfig, Ready, run_process

log = logging.getLogger(__name__)

FAILED, UNREACHABLE, REFUSED, MISCONFIGURED = 1, 69, 77, 78
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KIND_GROUPS = {
    "control": ("serving.knative.dev", "eventing.knative.dev"),
    "activator": ("networking.internal.knative.dev", "serving.knative.dev"),
    "pingsource": ("sources.knative.dev",),
    "apiserversource": (),
    "integrationsource": (),
    "integrationsink": (),
    "kafkasource": (),
    "webhooksource": ("sources.hearth.dev",),
    "external-scaler": ("http.keda.sh",),
    "pipelines": ("pipelines.hearth.dev", "eventing.knative.dev"),
}
_OTHER_GROUPS = ("eventing.knative.dev",)
_WITH_A_FOLDER = ("broker", "broker-ingress", "broker-dispatcher", "webhooksource")
_UNTIL_REACHED_SECONDS = 60.0
_RETRY_SECONDS = 1.0


class CannotRun(Exception):
    """What the operator has to mend before the component can run."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run(name: str, environment: Mapping[str, str]) -> int:
    """Run a component until it is told to end; return the exit code."""
    configure_logging(as_json=environment.get("HEARTH_LOG_FORMAT", "json") == "json")
    try:
        settings = from_environment(environment, kubeconfig_of(environment), _resolv_conf())
        return run_process(_checked(name, settings), _process_config(name, settings))
    except CannotRun as error:
        log.error("%s", error, extra={"component": name})
        return error.exit_code
    except (InvalidSetting, ValueError) as error:
        log.error("%s", error, extra={"component": name})
        return MISCONFIGURED
    except Exception:
        log.exception("component failed", extra={"component": name})
        return FAILED


def _resolv_conf(path: Path = Path("/etc/resolv.conf")) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def kubeconfig_of(environment: Mapping[str, str], mounted: Path = SERVICE_ACCOUNT) -> Path:
    """Return the kubeconfig to use: the one named, else the pod's own, else that of the home."""
    named = environment.get("KUBECONFIG")
    if named:
        return Path(named)
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
    if host and port and (mounted / "token").exists():
        # It holds references alone: whoever may read it may read what it refers to, or not.
        path = Path(tempfile.mkdtemp(prefix="hearth-")) / "kubeconfig"
        path.write_text(yaml.safe_dump(service_account_kubeconfig(host, port, mounted)))
        return path
    path = Path("~/.kube/config").expanduser()
    if not path.exists():
        raise InvalidSetting(
            f"no cluster: KUBECONFIG is not set, there is no {path}, and no service account is "
            f"mounted at {mounted} (automountServiceAccountToken: false?)"
        )
    return path


def _process_config(name: str, settings: Settings) -> ProcessConfig:
    return ProcessConfig(
        name=name,
        metrics_host=settings.host,
        metrics_port=settings.metrics_port,
        health_host=settings.host,
        health_port=settings.health_port,
        log_level=settings.log_level,
        log_json=settings.log_format == "json",
    )


def _checked(name: str, settings: Settings) -> Main:
    """The component, after a look whether the cluster is what it needs."""

    async def main(ready: Ready) -> None:
        if name in _WITH_A_FOLDER:
            check_folder(settings.data_dir)
        async with KubeClient.from_kubeconfig(settings.kubeconfig) as client:
            await check_version(client, patience_seconds=_UNTIL_REACHED_SECONDS)
            await check_kinds(client, _KIND_GROUPS.get(name, _OTHER_GROUPS))
        await COMPONENTS[name](settings)(ready)

    return main


def check_folder(folder: Path) -> None:
    """Return if files can be put into a folder that is there or can be made; raise CannotRun."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise CannotRun(
            MISCONFIGURED,
            f"{there} cannot be written to by user {os.getuid()}, group {os.getgid()}. In a pod: "
            "its volume does not obey fsGroup (hostPath, some NFS); give the directory behind it "
            "to that user, or choose another storage class",
        )


async def check_version(client: KubeClient, *, patience_seconds: float) -> None:
    """Return once the API server answers and is new enough; raise CannotRun otherwise."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_seconds
    while True:
        try:
            found = await client.request("GET", "/version")
            break
        except (Unauthorized, Forbidden) as error:
            raise CannotRun(REFUSED, _refused(error)) from error
        except ApiError as error:
            if loop.time() >= deadline:
                raise CannotRun(UNREACHABLE, _unreachable(error, patience_seconds)) from error
            log.warning("waiting for the API server", extra=error.facts)
            await asyncio.sleep(_RETRY_SECONDS)
    minor = int("".join(filter(str.isdigit, str(found.get("minor", "")))) or 0)
    if minor < OLDEST_MINOR:
        raise CannotRun(
            MISCONFIGURED,
            f"the cluster is Kubernetes 1.{minor}; Hearth needs 1.{OLDEST_MINOR} or newer: "
            "upgrade the cluster",
        )


async def check_kinds(client: KubeClient, groups: tuple[str, ...]) -> None:
    """Return if the kinds of these groups are served; raise CannotRun otherwise."""
    for group in groups:
        try:
            await client.request("GET", f"/apis/{group}")
        except NotFound as error:
            raise CannotRun(
                MISCONFIGURED,
                f"the kinds of {group} are not in this cluster: `hearth install` puts them in "
                "(with Helm or kustomize: the CustomResourceDefinitions of crds/)",
            ) from error
        except (Unauthorized, Forbidden) as error:
            raise CannotRun(REFUSED, _refused(error)) from error


def _refused(error: ApiError) -> str:
    if isinstance(error, Forbidden):
        return f"the API server refuses: {error.message}. Add {error.rule or 'the right to it'}"
    return (
        f"the API server does not know who we are: {error.message}. In a pod: is its service "
        "account still there, and the token that is mounted of this cluster?"
    )


def _unreachable(error: ApiError, seconds: float) -> str:
    return (
        f"{error.message}; tried for {seconds:.0f} s. Is the address right, and does a "
        "NetworkPolicy or a proxy stand in between?"
    )
