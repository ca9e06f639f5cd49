"""``python -m hearth.pipelines.sdk worker``: runs the script of a run in its pod.

The script begins anew where its pod died: jobs that were asked for are found by their names, those
that are over at once. How it ended is told to Hearth before the pod ends.
"""

from __future__ import annotations

import json
import os
import sys

from hearth.pipelines.sdk import jobs, scripts
from hearth.pipelines.sdk.problems import PipelineError, UnknownEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FOLDER = "/var/run/hearth/run"
"""Where script, event and token are, unless HEARTH_VOLUME_RUN says otherwise."""
SUMMARY_BYTES = 16 * 1024
_LINES = 12


def content_of(name: str) -> str:
    """Return a file of the run: script.py, event.json, token."""
    folder = os.environ.get("HEARTH_VOLUME_RUN") or FOLDER
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def script_name() -> str:
    """Return what the script is called in tracebacks."""
    return f"{os.environ.get('HEARTH_PIPELINE', 'pipeline')}.py"


def main() -> int:
    """Run the script for its event; the exit code is 0 once its end is told, good or bad."""
    from hearth.pipelines.sdk.connection import Connection

    connection = Connection(os.environ["HEARTH_RUN_URL"], content_of("token").strip())
    outcome = run(content_of("script.py"), content_of("event.json"), connection)
    if outcome["phase"] != "Succeeded":
        print(outcome["message"], file=sys.stderr, flush=True)
    connection.end(outcome)
    connection.close()
    return 0


def run(script: str, event: str, runs: jobs.Runs) -> dict[str, Any]:
    """Return how a script ended for an event in its JSON form."""
    jobs.begin(runs)
    try:
        try:
            scripts.load(script, script_name())
        except BaseException as error:
            return _failed("ScriptDoesNotImport", error)
        return {"phase": "Succeeded", **_summary(_handled(json.loads(event)))}
    except PipelineError as error:
        return _failed(error.reason, error)
    except BaseException as error:
        return _failed("ScriptFailed", error)
    finally:
        jobs.begin(None)


def _handled(event: Mapping[str, Any]) -> Any:
    found = scripts.handlers_for(event)
    if not found:
        raise UnknownEvent(
            f"nothing in the script is for {event.get('source')}:{event.get('type')}; "
            f"it has @on for {', '.join(scripts.patterns()) or 'nothing'}"
        )
    given = as_sdk(event)
    said = {each.__name__: each(given) for each in found}
    return next(iter(said.values())) if len(said) == 1 else said


def as_sdk(event: Mapping[str, Any]) -> Any:
    """Return the event of the CloudEvents SDK: JSON is parsed, text is text, all else bytes."""
    try:
        from cloudevents.core.v1.event import CloudEvent
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"{error}: scripts get events of the CloudEvents SDK; install it where Hearth is, "
            "pip install 'hearth-serving[pipelines]', or into the pipeline's image"
        ) from error
    attributes = {key: value for key, value in event.items() if not key.startswith("data")}
    for name in ("datacontenttype", "dataschema"):
        if name in event:
            attributes[name] = event[name]
    if "time" in attributes:
        import datetime

        attributes["time"] = datetime.datetime.fromisoformat(attributes["time"].upper())
    return CloudEvent(attributes, _data(event))


def _data(event: Mapping[str, Any]) -> Any:
    if "data_base64" in event:
        import base64

        return base64.b64decode(event["data_base64"])
    return event.get("data")


def _summary(said: Any) -> dict[str, Any]:
    if said is None:
        return {}
    try:
        size = len(json.dumps(said).encode())
    except (TypeError, ValueError) as error:
        raise PipelineError(f"what the script returns has to be text or JSON: {error}") from error
    if size > SUMMARY_BYTES:
        raise PipelineError(
            f"what the script returns is {size} bytes; {SUMMARY_BYTES} are the most: "
            "return a short text, and leave the rest in the workspace"
        )
    return {"summary": said}


def _failed(reason: str, error: BaseException) -> dict[str, Any]:
    return {"phase": "Failed", "reason": reason, "message": last_words(error)}


def last_words(error: BaseException) -> str:
    """Return the end of a traceback, without what called the script; of ours the text alone."""
    if isinstance(error, PipelineError):
        return str(error)
    import traceback

    ours = os.path.dirname(__file__)
    told = traceback.TracebackException.from_exception(error)
    kept = [frame for frame in told.stack if not frame.filename.startswith(ours)]
    told.stack = traceback.StackSummary.from_list(kept)
    lines = "".join(told.format(chain=False)).rstrip().splitlines()
    return "\n".join(lines[-_LINES:])
