"""``hearth event copy``: what is kept of a Broker moves to the engine of another class.

The broker process copies while all goes on. Then the Broker's class is changed, by the rights of
who asks; the broker process sees that, copies the rest and goes on in the other log.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from eventing.api import keys
from hearth.cli.asking import Json
from hearth.cli.errors import UserError
from hearth.cli.eventadmin import BrokerProcess
from hearth.cli.eventqueries import check_output
from hearth.knative.resources import BROKERS
from hearth.kube import meta
from hearth.kube.access import Access
from hearth.kube.client import KubeClient
from hearth.kube.errors import ApiError, NotFound
from hearth.kube.meta import Object

CLASSES = {"local": keys.BROKER_CLASS, "nats": keys.NATS_CLASS, "kafka": keys.KAFKA_CLASS}
"""Short names; a class itself is taken, too."""
_LOOK_SECONDS = 0.2
_LOOKS = 50
_TOLD_SECONDS = 5.0
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Copying:
    """Which Broker, and where to."""

    broker: str
    """NAMESPACE/NAME."""
    to: str
    dry_run: bool

    @property
    def target(self) -> str:
        """The class of Brokers that is meant."""
        return CLASSES.get(self.to, self.to)


def copy(process: BrokerProcess, api: Access, wanted: Copying, output: str) -> int:
    """Copy, change the class, and wait until all is there; return the exit code."""
    check_output(output, "text", "json")
    says = print if output == "text" else _nothing
    found = asyncio.run(_broker(api, wanted.broker))
    source, target = _class_of(found), wanted.target
    if source != target:
        plan = process.post("/copy", {"broker": wanted.broker, "to": target, "dryRun": "true"})
        says(_what(wanted, plan))
        if wanted.dry_run:
            return _end(plan, output)
        _until_close(process, wanted, plan["events"])
        asyncio.run(_change_class(api, wanted.broker, source, target))
    elif wanted.dry_run or keys.MOVED_FROM_ANNOTATION not in meta.annotations(found):
        raise UserError(f"broker {wanted.broker} is of class {target} already")
    else:  # a command before this one began it
        source = meta.annotations(found)[keys.MOVED_FROM_ANNOTATION]
    _until_moved(api, wanted.broker, f"{source}>{target}")
    _until_open(process, wanted)
    told = _told(process, wanted, source)
    says(_outcome(wanted, told))
    return _end(told, output)


def _nothing(_text: str) -> None:
    """Say nothing: what is found is printed as JSON."""


def _end(told: Json, output: str) -> int:
    if output == "json":
        print(json.dumps(told, indent=2))
    return 0


def _class_of(broker: Object) -> str:
    return meta.annotations(broker).get(keys.BROKER_CLASS_ANNOTATION, "")


def _until_close(process: BrokerProcess, wanted: Copying, events: int) -> None:
    told_at = time.monotonic()
    body = {"broker": wanted.broker, "to": wanted.target}
    while True:
        found = process.post("/copy", body)  # begins it, also in a process that began anew
        if found["error"]:
            raise UserError(f"not all was copied, and nothing was changed: {found['error']}")
        if found["close"]:
            return
        if time.monotonic() - told_at >= _TOLD_SECONDS:
            told_at = time.monotonic()
            print(f"{found['copied']} of {events} events copied", file=sys.stderr)
        time.sleep(_LOOK_SECONDS)


def _until_moved(api: Access, name: str, mark: str) -> None:
    said = ""
    try:
        while True:
            found = asyncio.run(_broker(api, name))
            marks = (found.get("status") or {}).get("annotations") or {}
            if marks.get(keys.MOVED_ANNOTATION) == mark:
                return
            problem = marks.get(keys.PROBLEM_ANNOTATION, "")
            if problem and problem != said:
                said = problem
                print(f"not yet, it is tried again: {problem}", file=sys.stderr)
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        print("The move goes on: the same command waits for it again.", file=sys.stderr)
        raise


def _until_open(process: BrokerProcess, wanted: Copying) -> None:
    """Whoever asks about its events next is to be told."""
    for _ in range(_LOOKS):
        try:
            process.get("/lag", {"broker": wanted.broker})
            return
        except UserError:
            time.sleep(_LOOK_SECONDS)


def _told(process: BrokerProcess, wanted: Copying, source: str) -> Json:
    try:
        found = process.get("/copy", {"broker": wanted.broker})
        if found["done"] and found["to"] == wanted.target:
            return found
    except UserError:
        pass  # the broker process began anew meanwhile: what it counted is gone
    return {"from": source, "to": wanted.target, "done": True}


async def _broker(api: Access, name: str) -> Object:
    namespace, _, named = name.partition("/")
    async with KubeClient(api) as client:
        try:
            return await client.get(BROKERS, named, namespace)
        except NotFound as error:
            raise UserError(f"there is no broker {named!r} in namespace {namespace!r}") from error
        except ApiError as error:
            raise UserError(error.message) from error


async def _change_class(api: Access, name: str, source: str, target: str) -> None:
    namespace, _, named = name.partition("/")
    marks = {keys.BROKER_CLASS_ANNOTATION: target, keys.MOVED_FROM_ANNOTATION: source}
    async with KubeClient(api) as client:
        try:
            body = {"metadata": {"annotations": marks}}
            await client.patch(BROKERS, named, namespace, body)
        except ApiError as error:
            raise UserError(
                f"{error.message}. All was copied, and the Broker is as it was: its class is "
                "changed by the rights of whoever gives this command"
            ) from error


def _what(wanted: Copying, plan: Json) -> str:
    size = f"{plan['events']} events, {plan['bytes'] / _MIB:.1f} MiB"
    would = "would go" if wanted.dry_run else "go"
    return f"broker {wanted.broker}: {size}, {would} from {plan['from']} to {plan['to']}"


def _outcome(wanted: Copying, told: Json) -> str:
    text = f"broker {wanted.broker} is of class {wanted.target} now"
    if "copied" in told:
        text += (
            f": {told['copied']} events copied, {told['subscriptions']} subscriptions go on there, "
            f"{told['again']} events under way are delivered again, {told['held']} held ones stay "
            f"so; producers waited {told['pauseSeconds']} s"
        )
    return f"{text}\nIf its manifest has {keys.BROKER_CLASS_ANNOTATION}, change it there, too"
