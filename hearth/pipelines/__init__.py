"""Pipelines: ``from hearth.pipelines import on, job, parallel`` is what a script begins with."""

from hearth.pipelines.sdk.jobs import Job, Result, artifacts, job, parallel, workspace
from hearth.pipelines.sdk.problems import Cycle, JobFailed, PipelineError
from hearth.pipelines.sdk.scripts import on

__all__ = [
    "Cycle",
    "Job",
    "JobFailed",
    "PipelineError",
    "Result",
    "artifacts",
    "job",
    "on",
    "parallel",
    "workspace",
]
