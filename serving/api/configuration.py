"""Configuration: the desired state of a workload; each change of its template is a Revision."""

from __future__ import annotations

from pydantic import Field

from hearth.knative.duck import Status
from hearth.kube.models import Kept, Model
from serving.api.revision import RevisionTemplateSpec


class ConfigurationSpec(Model):
    """What the user asks for."""

    template: Kept[RevisionTemplateSpec] = Field(default_factory=RevisionTemplateSpec)
    """What the next Revision is made from."""


class ConfigurationStatusFields(Model):
    """Fields that a Service's status has too."""

    latest_ready_revision_name: str = ""
    """The newest Revision that became ready."""
    latest_created_revision_name: str = ""
    """The newest Revision."""


class ConfigurationStatus(Status, ConfigurationStatusFields):
    """What came of it."""
