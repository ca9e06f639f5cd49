"""The programs of ``images/`` as Services: made all at once, shared by tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from kubernetes import client

from conformance.support import Answer, Cluster

FOLDER = Path(__file__).parent / "images"
HELLO = "Hello World! How about some tasty noodles?"

OWN_PORT = 8888
SOMEBODY = (2020, 2021)
"""A user and a group."""
MEMORY = 250 << 20


def as_process(program: str, python: str, image: str) -> dict[str, Any]:
    """Return a container that does what a program's Procfile says, with this interpreter."""
    line = (FOLDER / program / "Procfile").read_text().removeprefix("web: ").strip()
    words = [python if word == "python3" else word for word in line.split()]
    script = f'cd {FOLDER / program} && exec {" ".join(words)} "$@"'
    return {"image": image, "command": ["sh", "-c", script, program]}


class Programs:
    """What is made for tests of this suite, by the name of the Service."""

    def __init__(self, cluster: Cluster, container: Callable[[str], dict[str, Any]]) -> None:
        self.cluster = cluster
        self.container = container
        """A container that runs a program: its image, and what else that needs."""
        self._urls: dict[str, str] = {}
        self.long_request: Future[Answer] | None = None

    def service(
        self,
        name: str,
        program: str = "",
        *,
        env: Mapping[str, str] | None = None,
        container: Mapping[str, Any] | None = None,
        annotations: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> dict[str, Any]:
        """Return a Service of one container; ``spec`` goes beside its containers."""
        pairs = [{"name": key, "value": value} for key, value in (env or {}).items()]
        main = {**self.container(program or name), **(container or {})}
        main["env"] = [*pairs, *main.get("env", [])]
        template = {
            "metadata": {"annotations": dict(annotations or {})},
            "spec": {"containers": [main], **spec},
        }
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"template": template},
        }

    def start(self, *services: dict[str, Any]) -> None:
        """Create Services side by side."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.cluster.create, services))

    def url(self, name: str) -> str:
        """Return the URL of a Service once it is ready."""
        if name not in self._urls:
            # All of them start at once, and a cluster may have to pull their images first.
            ready = self.cluster.until_ready("Service", name, seconds=240)
            self._urls[name] = ready["status"]["url"]
        return self._urls[name]

    def ask_for_long(self) -> Future[Answer]:
        """Return a request that takes eight seconds, under way since this was first called."""
        if self.long_request is None:
            pool = ThreadPoolExecutor(1)
            wait = "/?initialTimeout=100&timeout=8000"
            self.long_request = pool.submit(lambda: self.cluster.request(self.url("timeout"), wait))
            pool.shutdown(wait=False)
        return self.long_request

    def told(self, name: str = "runtime", path: str = "/", **headers: str) -> dict[str, Any]:
        """Return what the program ``runtime`` tells of itself and of the request."""
        told: dict[str, Any] = json.loads(
            self.cluster.request(self.url(name), path, **headers).body
        )
        return told


def volume(name: str, source: dict[str, Any], path: str, **mount: Any) -> tuple[Any, Any]:
    """Return a volume and where it is mounted."""
    return {"name": name, **source}, {"name": name, "mountPath": path, **mount}


def shared(programs: Programs) -> list[dict[str, Any]]:
    """Return the Services that most tests look at; none of them is changed by a test."""
    make = programs.service
    config, config_mount = volume("config", {"configMap": {"name": "states"}}, "/etc/config")
    hello, hello_mount = volume("hello", {"configMap": {"name": "greeting"}}, "/hello")
    data, data_mount = volume("data", {"emptyDir": {}}, "/data")
    h2c = {"ports": [{"name": "h2c", "containerPort": 8080}]}
    probe = {"httpGet": {"path": "/healthz/readiness"}, "periodSeconds": 1}
    # Long before a slow machine has started it, it is asked whether it lives.
    live = {
        "httpGet": {"path": "/healthz/liveness"},
        "periodSeconds": 1,
        "failureThreshold": 60,
    }
    ready = {"httpGet": {"path": "/healthz/ready"}, "periodSeconds": 1}
    port = programs.cluster.side_port
    beside = {
        **programs.container("multicontainer/sidecarcontainer"),
        "env": [{"name": "LISTEN_PORT", "value": port}],
    }
    multi = make("multicontainer", "multicontainer/servingcontainer", env={"FORWARD_PORT": port})
    multi["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    multi["spec"]["template"]["spec"]["containers"].append(beside)
    return [
        make("helloworld"),
        make("autoscale"),
        make(
            "configmimic",
            env={"NAME": "Noodles", "PERIOD": "0.2"},
            container={"volumeMounts": [config_mount], "readinessProbe": ready},
            volumes=[config],
        ),
        make("failing", env={"SECONDS": "0"}),
        make("grpc-ping", env={"SUFFIX": "!"}, container=h2c),
        make("hellohttp2", container=h2c),
        make("hellovolume", container={"volumeMounts": [hello_mount]}, volumes=[hello]),
        make(
            "httpproxy",
            env={"TARGET_HOST": f"helloworld.{programs.cluster.namespace}.svc.cluster.local"},
        ),
        multi,
        make(
            "readiness",
            env={"READY_DELAY": "0.5s"},
            container={"readinessProbe": probe, "livenessProbe": live},
        ),
        make("runtime"),
        make(
            "singlethreaded",
            annotations={"autoscaling.knative.dev/max-scale": "1"},
            containerConcurrency=1,
        ),
        make("timeout", annotations={"autoscaling.knative.dev/window": "6s"}),
        make("volumes", container={"volumeMounts": [data_mount]}, volumes=[data]),
        make("wsserver", env={"SUFFIX": "too"}),
        *of_the_contract(make),
    ]


def of_the_contract(make: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Services that ask for what the runtime contract is about."""
    user, group = SOMEBODY
    probe = {"httpGet": {"path": "/healthz/readiness"}, "periodSeconds": 1}

    def deadline(seconds: int) -> dict[str, str]:
        return {"serving.knative.dev/progress-deadline": f"{seconds}s"}

    def runtime(name: str, annotations: dict[str, str] | None = None, **container: Any) -> Any:
        return make(name, "runtime", container=container, annotations=annotations)

    return [
        make("either", "hellohttp2"),
        make("unasked", "helloworld"),
        make(
            "never",
            "readiness",
            env={"READY_DELAY": "3600s"},
            container={"readinessProbe": probe},
            annotations=deadline(3),
        ),
        runtime("own-port", ports=[{"containerPort": OWN_PORT}]),
        runtime("somebody", securityContext={"runAsUser": user, "runAsGroup": group}),
        runtime("nobody", deadline(15), securityContext={"runAsUser": 0, "runAsNonRoot": True}),
        runtime(
            "limited",
            resources={"limits": {"memory": "250Mi", "cpu": "1"}, "requests": {"cpu": "10m"}},
        ),
    ]


def settings(cluster: Cluster) -> None:
    """Make the ConfigMaps and Secrets that the shared Services read."""
    states = {"configmimic": "ready,live,startup"}
    for name, data in (("states", states), ("greeting", {"world": "from a volume"})):
        metadata = client.V1ObjectMeta(name=name)
        body = client.V1ConfigMap(metadata=metadata, data=data)
        cluster.core.create_namespaced_config_map(cluster.namespace, body)
    metadata = client.V1ObjectMeta(name="greeting")
    secret = client.V1Secret(metadata=metadata, string_data={"world": "from a secret"})
    cluster.core.create_namespaced_secret(cluster.namespace, secret)
