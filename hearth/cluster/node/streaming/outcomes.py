"""What the error stream says at the end of a command, in kubelet's words and form. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

Outcome = dict[str, Any]
"""A Status of Kubernetes."""

SUCCESS: Outcome = {"metadata": {}, "status": "Success"}


def exited(code: int, command: Sequence[str]) -> Outcome:
    """A command that has ended, well or not."""
    if code == 0:
        return SUCCESS
    what = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {what}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failed(problem: str) -> Outcome:
    """Something else than the command went wrong."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {problem}",
        "reason": "InternalError",
        "code": 500,
    }


def written(outcome: Outcome, protocol: str) -> bytes:
    """As the stream carries it: JSON from version 4 on, before that a text, none for success."""
    if protocol.startswith(("v4.", "v5.")):
        return orjson.dumps(outcome)
    return str(outcome.get("message", "")).encode()
