"""Pipelines: ``from hearth.pipelines import on, job, parallel`` is what a script begins with."""

from hearth.pipelines.sdk.jobs import Job, Result, job, parallel, workspace
from hearth.pipelines.sdk.problems import Cycle, JobFailed, PipelineError
from hearth.pipelines.sdk.scripts import on

__all__ = [
    "Cycle",
    "Job",
    "JobFailed",
    "PipelineError",
    "Result",
    "job",
    "on",
    "parallel",
    "workspace",
]
