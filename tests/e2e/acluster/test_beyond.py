"""What `docs/beyond-knative.md` promises, and digests of registries, on a cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.acluster.cluster import (
    BASE,
    KUBECONFIG,
    REGISTRY,
    apply,
    change,
    get,
    hearth,
    host_of,
    is_ready,
    kubectl,
)
from tests.e2e.support import hearth_command, wait_until

ME = os.getpid()
CODE = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(int(os.environ.get("STATUS", 200)))
        self.end_headers()
        words = os.environ.get("WORD"), os.environ["K_REVISION"], self.path, self.server.server_port
        self.wfile.write(" ".join(map(str, words)).encode())

    do_POST = do_GET

further = ThreadingHTTPServer(("", 9999), Handler)
Thread(target=further.serve_forever, daemon=True).start()
ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that this module has put into the registry, by its tag."""
    folder = tmp_path_factory.mktemp("cluster") / f"beyond-{ME}"
    folder.mkdir()
    (folder / "main.py").write_text(CODE)
    (folder / "Procfile").write_text("web: python main.py\n")
    hearth("deploy", str(folder), "--registry", REGISTRY, "--base", BASE)
    found = kubectl("get", "ksvc", folder.name)["spec"]["template"]["spec"]["containers"][0]
    yield found["image"]
    hearth_command("delete", folder.name, "--kubeconfig", KUBECONFIG, check=False)


def test_scale_is_set_without_a_revision_and_taken_over_by_the_next(image: str) -> None:
    name = f"scale-{ME}"
    said = {"autoscaling.knative.dev/initial-scale": "current"}
    with a_service(name, image, template=said):
        assert "no new revision" in hearth("scale", "set", name, "--min", "2", "--max", "4")
        wait_until(lambda: len(pods(f"{name}-00001", ready=True)) == 2, seconds=60, what="two pods")
        assert kubectl("get", "ksvc", name)["status"]["latestReadyRevisionName"] == f"{name}-00001"
        assert "min 2, max 4" in hearth("scale", "explain", name)
        change(a_ksvc(name, image, template=said, WORD="two"))
        wait_until(lambda: leads_to(name, f"{name}-00002"), seconds=60, what="the next")
        made = kubectl("get", "podautoscaler", f"{name}-00002")["metadata"]["annotations"]
        assert made["autoscaling.knative.dev/initial-scale"] == "2"
        hearth("scale", "set", name, "--reset")


def test_a_schedule_holds_pods(image: str) -> None:
    name = f"shift-{ME}"
    always = "[{start: '0 0 1 1 *', end: '59 23 31 12 *', minScale: 2}]"
    with a_service(name, image, {"autoscaling.hearth.dev/schedule": always}):
        wait_until(lambda: len(pods(f"{name}-00001", ready=True)) == 2, seconds=60, what="two pods")


def test_a_rollout_keeps_to_a_number_of_pods(image: str) -> None:
    name = f"surge-{ME}"
    said = {
        "autoscaling.hearth.dev/min-scale": "2",
        "serving.hearth.dev/rollout-surge": "1",
    }
    with a_service(name, image, said):
        wait_until(lambda: len(pods(f"{name}-00001", ready=True)) == 2, seconds=60, what="two pods")
        change(a_ksvc(name, image, said, WORD="two"))

        def is_over() -> bool:
            listed = kubectl("get", "pods", "-l", f"serving.knative.dev/service={name}")["items"]
            assert len(listed) <= 3
            return leads_to(name, f"{name}-00002") and len(listed) == 2

        wait_until(is_over, seconds=180, what="the rollout")


def test_a_rollout_that_fails_goes_back(image: str, gateway: str) -> None:
    name = f"back-{ME}"
    said = {
        "serving.knative.dev/rollout-duration": "10m",
        "serving.hearth.dev/rollback": "errors>5% requests>=5",
    }
    with a_service(name, image, said):
        host = host_of(name)
        change(a_ksvc(name, image, said, STATUS="500"))

        def is_rolled_back() -> bool:
            seen = [get(gateway, host).status for _ in range(50)]
            service = kubectl("get", "ksvc", name)
            return conditions(service, "reason")["Ready"] == "RolledBack" and 200 in seen

        wait_until(is_rolled_back, seconds=120, what="the way back")
        wait_until(lambda: {get(gateway, host).status for _ in range(99)} == {200}, what="peace")
        notes = kubectl("get", "revision", f"{name}-00002")["metadata"]["annotations"]
        assert notes["serving.hearth.dev/rolled-back-to"] == f"{name}-00001"


def test_a_session_stays_in_its_part_of_a_canary(image: str, gateway: str) -> None:
    name = f"canary-{ME}"
    sticky = {"serving.hearth.dev/session-affinity": "cookie"}
    with a_service(name, image, template=sticky):
        half = [{"revisionName": f"{name}-0000{n}", "percent": 50} for n in (1, 2)]
        change(a_ksvc(name, image, template=sticky, traffic=half, WORD="two"))
        wait_until(lambda: leads_to(name, f"{name}-00002"), seconds=60, what="the split")
        host = host_of(name)
        for _ in range(4):
            first = get(gateway, host)
            cookie = first.headers["set-cookie"].partition(";")[0]
            again = {get(gateway, host, Cookie=cookie).body for _ in range(8)}
            assert again == {first.body}


def test_paths_and_names_of_a_domain(image: str, gateway: str) -> None:
    name, domain = f"paths-{ME}", f"paths-{ME}.example.org"
    claim = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ClusterDomainClaim",
        "metadata": {"name": domain},
        "spec": {"namespace": "default"},
    }
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {
            "name": domain,
            "namespace": "default",
            "annotations": {
                "serving.hearth.dev/paths": f"[{{path: /api, service: {name}, rewrite: /}}]",
                "serving.hearth.dev/wildcard": "true",
            },
        },
        "spec": {
            "ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": f"{name}-b"}
        },
    }
    with a_service(name, image), a_service(f"{name}-b", image), apply(claim, mapping):
        wait_until(lambda: is_ready("domainmapping", domain), seconds=60, what="the domain")
        for host in (domain, f"any.name.{domain}"):
            assert f" {name}-00001 /users?x " in f"{get(gateway, host, '/api/users?x').body} "
            assert f" {name}-b-00001 /apiary " in get(gateway, host, "/apiary").body


def test_a_further_port_and_a_page_while_it_wakes(image: str, gateway: str) -> None:
    name = f"port-{ME}"
    ports = "[{name: admin, port: 9999}, {name: metrics, port: 9998, counted: false}]"
    quickly = {
        "serving.hearth.dev/waiting-page": "true",
        "autoscaling.hearth.dev/window": "6s",
    }
    with a_service(name, image, quickly, template={"serving.hearth.dev/ports": ports}):
        assert get(gateway, f"admin-{host_of(name)}").body.endswith(" 9999")
        wait_until(lambda: not pods(f"{name}-00001"), seconds=120, what="its sleep")
        page = get(gateway, host_of(name), Accept="text/html")
        assert (page.status, page.headers["x-hearth-error"]) == (503, "waking-up")
        assert get(gateway, f"admin-{host_of(name)}").body.endswith(" 9999")


def test_an_answer_that_comes_later(image: str, gateway: str) -> None:
    name = f"later-{ME}"
    with a_service(name, image, {"serving.hearth.dev/async": "true"}):
        host = host_of(name)
        wait_until(
            lambda: get(gateway, host, "/x", Prefer="respond-async").status == 202,
            seconds=60,
            what="being answered later",
        )
        taken = get(gateway, host, "/work", Prefer="respond-async")
        where = urlsplit(taken.headers["location"]).path
        done = wait_until(
            lambda: (page := get(gateway, host, where)).status == 200 and page,
            seconds=60,
            what="the answer",
        )
        assert (done.headers["x-hearth-async"], " /work " in done.body) == ("done", True)


def test_a_revision_goes_on_when_its_cause_is_gone_or_somebody_says_so(image: str) -> None:
    name = f"lack-{ME}"
    lacks = {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": name, "key": "word"}}}
    service = a_ksvc(name, image, template={"serving.knative.dev/progress-deadline": "10s"})
    service["spec"]["template"]["spec"]["containers"][0]["env"] = [lacks]
    given = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"word": "here"},
    }
    revision = f"{name}-00001"
    with apply(service):
        why = "CreateContainerConfigError"
        wait_until(lambda: why in reasons(revision), seconds=60, what="the reason")
        with apply(given):
            wait_until(lambda: is_ready("ksvc", name), seconds=120, what="its recovery")
            [first] = pods(revision)
            kubectl("annotate", "revision", revision, "serving.hearth.dev/retry=now")
            wait_until(lambda: first not in pods(revision), seconds=120, what="another pod")
            assert len(pods(revision)) == 1


def test_the_registry_says_what_a_tag_stands_for() -> None:
    name = f"digest-{ME}"
    service = a_ksvc(name, BASE)
    [container] = service["spec"]["template"]["spec"]["containers"]
    container["command"] = ["sh", "-c", "exec python3 -m http.server $PORT"]
    with asking_registries(), apply(service):
        wait_until(lambda: is_ready("ksvc", name), seconds=90, what=name)
        made = kubectl("get", "deployment", f"{name}-00001-deployment")
        [container] = made["spec"]["template"]["spec"]["containers"]
        [told] = kubectl("get", "revision", f"{name}-00001")["status"]["containerStatuses"]
        assert container["image"] == told["imageDigest"]
        assert "@sha256:" in container["image"]


def test_clients_read_what_knative_has_of_a_revision(image: str) -> None:
    name = f"read-{ME}"
    with a_service(name, image, template={"autoscaling.knative.dev/target-burst-capacity": "0"}):
        revision = f"{name}-00001"
        wait_until(lambda: is_ready("serverlessservice", revision), what="its ServerlessService")
        wait_until(lambda: mode(revision) == "Serve", what="its mode")
        assert is_ready("metrics.autoscaling.internal.knative.dev", revision)
    kind = ("serverlessservice", "--ignore-not-found")
    wait_until(lambda: not kubectl("get", *kind, revision), seconds=60, what="its end")


# -- objects -----------------------------------------------------------------------------------


def a_ksvc(
    name: str,
    image: str,
    annotations: dict[str, str] | None = None,
    *,
    template: dict[str, str] | None = None,
    traffic: list[dict[str, Any]] | None = None,
    **env: str,
) -> dict[str, Any]:
    variables = [{"name": k, "value": v} for k, v in env.items()]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "template": {
                "metadata": {"annotations": template or {}},
                "spec": {"containers": [{"image": image, "env": variables}]},
            },
            "traffic": traffic or [{"latestRevision": True, "percent": 100}],
        },
    }


@contextmanager
def a_service(
    name: str,
    image: str,
    annotations: dict[str, str] | None = None,
    template: dict[str, str] | None = None,
) -> Iterator[None]:
    with apply(a_ksvc(name, image, annotations, template=template)):
        wait_until(lambda: is_ready("ksvc", name), seconds=90, what=name)
        yield


@contextmanager
def asking_registries() -> Iterator[None]:
    where = ("configmap", "config-deployment", "-n", "knative-serving")
    before = kubectl("get", *where).get("data", {}).get("digest-resolution")

    def put(value: str | None) -> None:
        patch = json.dumps({"data": {"digest-resolution": value}})
        kubectl("patch", *where, "--type", "merge", "-p", patch)

    put("enabled")
    try:
        yield
    finally:
        put(before)


def leads_to(service: str, revision: str) -> bool:
    """Whether a Service is ready, and the last part of its traffic leads there."""
    traffic = kubectl("get", "ksvc", service).get("status", {}).get("traffic", [])
    *_, last = (each for each in traffic if each.get("percent"))
    return is_ready("ksvc", service) and last["revisionName"] == revision


def mode(revision: str) -> str:
    return str(kubectl("get", "serverlessservice", revision)["spec"]["mode"])


def pods(revision: str, *, ready: bool = False) -> list[str]:
    """Those that are not ending, by name."""
    found = kubectl("get", "pods", "-l", f"serving.knative.dev/revision={revision}")["items"]
    return [
        each["metadata"]["name"]
        for each in found
        if "deletionTimestamp" not in each["metadata"]
        and (not ready or conditions(each).get("Ready") == "True")
    ]


def conditions(obj: dict[str, Any], field: str = "status") -> dict[str, str]:
    found = obj.get("status", {}).get("conditions", ())
    return {each["type"]: each.get(field, "") for each in found}


def reasons(revision: str) -> set[str]:
    found = kubectl("get", "revisions", "-l", f"serving.knative.dev/service={revision[:-6]}")
    return {why for each in found["items"] for why in conditions(each, "reason").values()}
