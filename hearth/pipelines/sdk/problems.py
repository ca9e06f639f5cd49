"""What goes wrong in a script, by name; each text says what to do."""

from __future__ import annotations


class PipelineError(Exception):
    """Something that a script cannot go on with; ``reason`` is one word for its condition."""

    reason = "ScriptFailed"


class JobFailed(PipelineError):
    """A job did not succeed."""

    reason = "JobFailed"


class Refused(PipelineError):
    """What the script asked for is not given: an unknown secret, a name that is taken."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Cycle(PipelineError):
    """Jobs wait for each other."""

    reason = "Cycle"


class DuplicateJob(PipelineError):
    """Two jobs have one name."""

    reason = "DuplicateJob"


class UnknownEvent(PipelineError):
    """Nothing in the script is for this event."""

    reason = "UnknownEvent"
