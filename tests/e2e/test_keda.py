"""KEDA's kinds as a user has them: applied with kubectl, scaled by what happens elsewhere."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.support import SAMPLES, Hearth, wait_until


def replicas(hearth: Hearth, name: str) -> int:
    return int(hearth.get_json("deployment", name)["status"].get("readyReplicas", 0))


def work(hearth: Hearth, pods: int) -> None:
    labels = {"app": "work"}
    container = {"name": "work", "image": "hearth.dev/samples/hello"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    hearth.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "work", "namespace": "default"},
            "spec": {
                "replicas": pods,
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
    )


def process(hearth: Hearth) -> dict[str, Any]:
    processes = hearth.status()["processes"]
    return next(each for each in processes if each["name"] == "keda")


def test_pods_follow_the_work_from_zero_and_back(hearth: Hearth) -> None:
    assert not process(hearth)["pid"], "nobody has asked for it yet"
    hearth.kubectl("apply", "-f", str(SAMPLES / "keda" / "follower.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "so/follower", "--timeout=90s")
    assert process(hearth)["pid"]
    table = hearth.kubectl("get", "so").stdout.splitlines()
    assert table[0].split()[:7] == [
        "NAME",
        "SCALETARGETKIND",
        "SCALETARGETNAME",
        "MIN",
        "MAX",
        "READY",
        "ACTIVE",
    ]
    work(hearth, 2)
    wait_until(lambda: replicas(hearth, "follower") == 2, what="two followers")
    work(hearth, 4)  # from one on by the HPA, which asks for external metrics
    wait_until(lambda: replicas(hearth, "follower") == 4, what="four followers")
    [told] = json.loads(hearth.run("scale", "explain", "follower", "-o", "json").stdout)
    assert (told["scaledBy"], told["wish"], told["hpa"]) == ("keda", 4, "keda-hpa-follower")
    assert "wants 4 pods" in hearth.run("scale", "explain", "follower").stdout
    metric = hearth.kubectl(
        "get",
        "--raw",
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/s0-workload-default"
        "?labelSelector=scaledobject.keda.sh%2Fname%3Dfollower",
    )
    assert json.loads(metric.stdout)["items"][0]["value"] == "4"
    work(hearth, 0)
    wait_until(lambda: replicas(hearth, "follower") == 0, what="no follower")
    told = ("KEDAScaleTargetActivated", "KEDAScaleTargetDeactivated")  # after the fact

    def are_told():
        described = hearth.kubectl("describe", "so", "follower").stdout
        return all(each in described for each in told)

    wait_until(are_told, what=f"events {told}")
    hearth.kubectl("delete", "so", "follower", "--timeout=90s")
    wait_until(
        lambda: "keda-hpa-follower" not in hearth.kubectl("get", "hpa").stdout, what="no HPA"
    )
