"""Pods of adapters: where they run, and as whom they can."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eventing.api.apiserveradapter import AdapterConfig, Watched
from eventing.kinds.adapters import Adapters
from hearth.knative.leaderelection import Candidacy
from hearth.knative.resources import CONTAINERSOURCES, INTEGRATIONSINKS, INTEGRATIONSOURCES
from hearth.kube.kubeconfig import access_of
from hearth.kube.resources import DEPLOYMENTS, NAMESPACES, PODS
from tests.component.eventing.cluster import cluster, sink
from tests.ports import free_ports
from tests.waiting import is_ready

ROOT = Path(__file__).parents[3]


async def test_they_run_where_control_does(tmp_path):
    own = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "containers": [{"name": "control", "image": "i", "imagePullPolicy": "Always"}],
    }

    async def before(client):
        where = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hearth"}}
        await client.create(NAMESPACES, where)
        metadata = {"name": "control-1", "namespace": "hearth"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": own}
        await client.create(PODS, pod)

    async with cluster(
        tmp_path,
        with_broker=False,
        before=before,
        adapters=Adapters("registry/hearth:2"),
        election=Candidacy("control-1", "127.0.0.1", "hearth"),
    ) as found:
        await found.create(INTEGRATIONSINKS, "s", log={})
        deployment = await found.until(DEPLOYMENTS, "s-deployment", lambda obj: True)
        to = {"uri": "http://sink.example.com"}
        await found.create(INTEGRATIONSOURCES, "i", sink=to, timer={"message": "hi"})
        source = await found.until(CONTAINERSOURCES, "i-containersource", lambda obj: True)
        for pod in (deployment["spec"]["template"]["spec"], source["spec"]["template"]["spec"]):
            assert pod["nodeSelector"] == {"pool": "system"}
            assert pod["imagePullSecrets"] == [{"name": "registry"}]
            assert pod["tolerations"] == [{"key": "system", "operator": "Exists"}]
            assert pod["containers"][0]["imagePullPolicy"] == "Always"


# -- the user of pods ------------------------------------------------------------------------------

USER = 65532
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs")


def _why_not():
    if os.geteuid() != 0:
        return "another user's processes are root's to start"
    if shutil.which("setpriv") is None:
        return "there is no setpriv"
    program = "import os, pwd; pwd.getpwuid(os.getuid())"
    done = subprocess.run(
        [*AS_USER, sys.executable, "-c", program], capture_output=True, text=True, cwd="/"
    )
    if "KeyError" not in done.stderr:
        return f"user {USER} cannot run {sys.executable}, or has a name: {done.stderr[-200:]}"
    return ""


WHY_NOT = _why_not()


def _kubeconfig(kubeconfig, folder):
    """One that everybody may read."""
    access = access_of(kubeconfig)
    authority = base64.b64encode((access.ca_pem or "").encode()).decode()
    server = {"server": access.server, "certificate-authority-data": authority}
    config = {
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": access.token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o644)
    return path


@contextlib.contextmanager
def _open_folder():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


WATCHED = AdapterConfig("https://api", [Watched("", "v1", "configmaps")], ["default"])


@pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT or "-")
@pytest.mark.parametrize(
    ("component", "config"),
    [
        ("pingsource", {}),
        ("apiserversource", {"K_SOURCE_CONFIG": WATCHED.to_json()}),
        ("integrationsource", {"K_SOURCE_CONFIG": '{"timer": {"period": 1000}}'}),
        ("integrationsource", {"K_SOURCE_CONFIG": "sqs"}),
        ("integrationsink", {"K_SINK_CONFIG": '{"log": {}}'}),
        ("integrationsink", {"K_SINK_CONFIG": "sqs"}),
    ],
)
async def test_they_need_no_name_of_their_user(tmp_path, aws, component, config):
    """As in a container: a number without an entry in passwd, and no folder of its own."""
    queue = {
        "region": "us-east-1",
        "arn": "q",
        "autoCreateQueue": True,
        "overrideEndpoint": True,
        "uriEndpointOverride": aws,
    }
    config = {
        name: json.dumps({"aws": {"sqs": queue}}) if value == "sqs" else value
        for name, value in config.items()
    }
    async with cluster(tmp_path, with_broker=False) as found, sink() as (to, _):
        health, metrics, events = free_ports(3)
        with _open_folder() as folder:
            process = await asyncio.create_subprocess_exec(
                *(*AS_USER, sys.executable, "-m", "hearth.cli", "run", component),
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": "/tmp",
                    "PYTHONPATH": str(ROOT),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "KUBECONFIG": str(_kubeconfig(found.kubeconfig, folder)),
                    "POD_NAME": "adapter",
                    "POD_NAMESPACE": "default",
                    "POD_IP": "127.0.0.1",
                    "HEARTH_HOST": "127.0.0.1",
                    "HEARTH_HEALTH_PORT": str(health),
                    "HEARTH_METRICS_PORT": str(metrics),
                    "HEARTH_SINK_PORT": str(events),
                    "HEARTH_DRAIN_DELAY_SECONDS": "0",
                    "AWS_ACCESS_KEY_ID": "testing",
                    "AWS_SECRET_ACCESS_KEY": "testing",
                    "K_SINK": to["uri"],
                    **config,
                },
                cwd="/",
            )
            try:
                async with asyncio.timeout(40):
                    while not await is_ready(health):
                        assert process.returncode is None, "the adapter has ended"
                        await asyncio.sleep(0.05)
                status = Path(f"/proc/{process.pid}/status").read_text()
                assert f"Uid:\t{USER}\t{USER}" in status
            finally:
                if process.returncode is None:
                    process.terminate()
                code = await asyncio.wait_for(process.wait(), 60)
            assert code == 0, "an orderly end"
