"""The Service that is drafted for an image: with the limits and rights that good practice asks."""

from __future__ import annotations

from hearth.kube.meta import Object


def drafted_service(name: str, image: str, port: str) -> Object:
    """Return a Knative Service as somebody careful would begin it."""
    container = {
        "image": image,
        "ports": [{"containerPort": int(port)}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    annotations = {"autoscaling.knative.dev/max-scale": "10"}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [container]},
            }
        },
    }
