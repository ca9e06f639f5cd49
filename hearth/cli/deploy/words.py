"""What ``hearth deploy`` prints."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hearth.functions.deploying.progress import WORDS, Phase, Progress, is_moving
from hearth.functions.detection.application import Application

Object = dict[str, Any]


def found_words(application: Application) -> str:
    """Return what a folder was found to hold, and why."""
    lines = [f"found: {application.label}"]
    lines += [f"  {reason}" for reason in application.reasons]
    if application.command and not application.runner:
        lines.append(f"  runs: {shlex.join(application.command)}")
    return "\n".join(lines)


def plan_words(service: Object) -> str:
    """Return a Service as YAML."""
    import yaml

    return str(yaml.safe_dump(service, sort_keys=False)).rstrip()


def domain_of(domain: str, name: str, namespace: str) -> Object:
    """Return the DomainMapping by which a name reaches a Service."""
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}
    return {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": domain, "namespace": namespace},
        "spec": {"ref": {**ref, "namespace": namespace}},
    }


def curl_words(url: str, gateway: str) -> str:
    """Return the command that asks a gateway for what is at a URL."""
    return f"curl -H 'Host: {url.partition('://')[2]}' {gateway}"


def claim_of(domain: str, namespace: str) -> Object:
    """Return the claim without which no DomainMapping is served."""
    return {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ClusterDomainClaim",
        "metadata": {"name": domain},
        "spec": {"namespace": namespace},
    }


MOVES_ON = "the rest follows by and by: its rollout takes time (rollout-duration)"
OUTPUTS = ("text", "url", "json")


def summary(service: Object) -> Object:
    """Return what a program may want to know of a Service."""
    status = service.get("status") or {}
    return {
        "name": service["metadata"]["name"],
        "namespace": service["metadata"]["namespace"],
        "url": status.get("url") or "",
        "revision": status.get("latestReadyRevisionName") or "",
        "image": service["spec"]["template"]["spec"]["containers"][0].get("image") or "",
        "traffic": status.get("traffic") or [],
    }


class Steps:
    """Prints each step with the seconds since the command began."""

    def __init__(self, clock: Callable[[], float], output: str = "text") -> None:
        """``output`` is one of OUTPUTS: all but text is for programs, who read stdout."""
        self._output = output
        self._clock = clock
        self._began = clock()
        self._phase = Phase.ASKED
        self._trouble = ""

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(text, flush=True, file=sys.stdout if self._output == "text" else sys.stderr)

    def nothing_new(self, name: str) -> None:
        """Print that nothing changes."""
        self.say(f"{name} is as wanted already: no new revision")
        self.goes_on()

    def goes_on(self) -> None:
        """Tell no steps: a revision took them before."""
        self._phase = Phase.SERVES

    def tell(self, progress: Progress) -> None:
        """Print what is new since the last call."""
        for phase in Phase:
            if self._phase < phase <= progress.phase and phase < Phase.SERVES:
                self.say(f"{self._seconds()}  {WORDS[phase]}")
        self._phase = max(self._phase, progress.phase)
        if progress.trouble and progress.trouble != self._trouble:
            self._trouble = progress.trouble
            self.say(f"{self._seconds()}  waits: {progress.trouble}")

    def done(self, service: Object, detour: str = "") -> None:
        """Print where it is served and who gets how much; ``detour`` reaches it from here."""
        status = service.get("status") or {}
        revision = status.get("latestReadyRevisionName")
        traffic = status.get("traffic") or []
        mine = sum(int(each.get("percent") or 0) for each in traffic
                   if each.get("revisionName") == revision)  # fmt: skip
        self.say(f"{self._seconds()}  {revision} serves {mine}% of the requests")
        if detour:
            self.say(f"its name leads nowhere from here yet; this does: {detour}")
        if self._output == "json":
            print(json.dumps(summary(service), indent=2))
            return
        print(status.get("url") or f"{service['metadata']['name']} has no URL", flush=True)
        for each in traffic:
            if each.get("tag") and each.get("url") and each.get("revisionName") == revision:
                self.say(f"the new revision alone: {each['url']}")
        name = service["metadata"]["name"]
        if is_moving(service):
            self.say(MOVES_ON)
            self.say(
                f"how far it is: hearth describe {name}; an end to it: hearth rollout {name} back"
            )
        elif mine < 100:
            self.say(f"next: hearth rollout {name} 50% | promote | back")

    def failed(self, name: str, ended: Progress, seconds: float, last_words: Sequence[str]) -> None:
        """Print why it does not serve, the container's last words, and what to try."""
        reason = ended.failure or ended.trouble or f"not ready after {seconds:g} s"
        reason, _, told = reason.partition(" with: ")  # as Knative tells a container's last words
        last_words = last_words or told.splitlines()
        if ended.failure and ended.trouble:
            reason = f"{reason}; {ended.trouble}"
        print(f"Error: {name} does not serve: {reason}", file=sys.stderr)
        if last_words:
            print("its last words:", file=sys.stderr)
            for line in last_words:
                print(f"  {line}", file=sys.stderr)
        print(
            f"What served before, if anything did, goes on. Look: hearth describe {name}; "
            f"hearth logs {name}",
            file=sys.stderr,
        )

    @property
    def seconds(self) -> float:
        """Since the command began."""
        return self._clock() - self._began

    def _seconds(self) -> str:
        return f"{self.seconds:6.2f} s"
