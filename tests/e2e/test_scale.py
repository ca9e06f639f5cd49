"""Why a service has the pods it has: asked of a running Hearth with the real command."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.support import SAMPLES, Hearth, wait_until


def explained(hearth: Hearth) -> dict[str, Any]:
    [told] = json.loads(hearth.run("scale", "explain", "hello", "-o", "json").stdout)
    return dict(told)


def test_a_service_is_explained_awake_and_asleep(hearth: Hearth) -> None:
    hearth.kubectl("apply", "-f", str(SAMPLES / "hello.yaml"))
    hearth.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=90s")
    assert hearth.request("hello").status == 200
    told = explained(hearth)
    assert (told["wish"], told["pods"]["ready"], told["service"]) == (1, 1, "hello")
    assert told["settings"]["target"] == 70
    text = hearth.run("scale", "explain", "hello").stdout
    assert "default/hello-00001: wants 1 pod" in text
    assert "looks again in" in text
    wait_until(lambda: not any(explained(hearth)["pods"].values()), what="no pods")
    asleep = explained(hearth)
    assert asleep["wish"] == 0
    assert asleep["steps"][-1]["rule"] == "scale to zero"
    unknown = hearth.run("scale", "explain", "other", check=False)
    assert "there is no Service and no revision default/other" in unknown.stderr
    assert unknown.returncode == 1
