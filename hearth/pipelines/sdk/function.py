"""``python -m hearth.pipelines.sdk function``: one function of a script, in the pod of its job.

What it returns (``{"value": ...}``), or how it failed, is the pod's termination message: it is kept
with the pod, and no connection to anybody is needed.
"""

from __future__ import annotations

import json
import os
import sys

from hearth.pipelines.sdk import jobs, scripts
from hearth.pipelines.sdk.worker import content_of, last_words, script_name

MESSAGE_BYTES = 4096
"""What Kubernetes keeps of a termination message."""
_LOG = "/dev/termination-log"


def main() -> int:
    """Run the function that the environment names; 0 where it returned."""
    jobs.begin(None)
    try:
        module = scripts.load(content_of("script.py"), script_name())
        function = getattr(module, os.environ["HEARTH_JOB_FUNCTION"])
        value = function(*json.loads(os.environ.get("HEARTH_JOB_ARGUMENTS", "[]")))
        said, code = _said(value), 0
    except SystemExit as error:
        said, code = "", error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException as error:
        said, code = last_words(error)[-MESSAGE_BYTES:], 1
        print(said, file=sys.stderr, flush=True)
    with open(os.environ.get("HEARTH_TERMINATION_LOG") or _LOG, "w", encoding="utf-8") as file:
        file.write(said)
    return code


def _said(value: object) -> str:
    text = json.dumps({"value": value})
    if len(text.encode()) > MESSAGE_BYTES:
        raise ValueError(
            f"the function returns {len(text.encode())} bytes of JSON; {MESSAGE_BYTES} are the "
            "most: write it to workspace() and return where it is"
        )
    return text
