"""The certificate of a pod that takes events from the broker: which Secret has it, and where. Pure.

The broker process makes these Secrets, signed by its own authority, which it trusts; control says
what they are called. A Secret is never changed: from time to time, and with another authority,
there is another name, and the pod is rolled out with it. They go with the object they are for.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from hearth.knative.names import child_name

VOLUME = "certificate"
FOLDER = "/etc/hearth/certificate"
VOLUME_VARIABLE = "HEARTH_VOLUME_CERTIFICATE"
"""Where the folder is on one machine."""
_TURN_SECONDS = 30 * 86400.0
"""How long a certificate is used; it is good for three times as long."""


def certificate_name(title: str, uid: str, authorities: str, now: float) -> str:
    """Return the name of the Secret that a Deployment's pods are to use now."""
    turn = int((now + _offset(uid)) // _TURN_SECONDS)
    # With the uid: what was made for another of this name may be on its way out.
    mark = sha256(f"{uid}/{authorities}/{turn}".encode()).hexdigest()[:10]
    return child_name(title, f"-tls-{mark}")


def seconds_left(uid: str, now: float) -> float:
    """Return after how long there is another name."""
    return _TURN_SECONDS - (now + _offset(uid)) % _TURN_SECONDS


def _offset(uid: str) -> int:
    """Not all pods are rolled out at the same moment."""
    return int(sha256(uid.encode()).hexdigest()[:8], 16) % int(_TURN_SECONDS)


def volume(secret: str) -> dict[str, Any]:
    """Return the volume with the certificate, as the API server completes it."""
    return {"name": VOLUME, "secret": {"secretName": secret, "defaultMode": 0o644}}


def mount() -> dict[str, Any]:
    """Return where the container finds it."""
    return {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}
