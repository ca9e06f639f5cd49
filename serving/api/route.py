"""Route: names for revisions, and how traffic is split among them."""

from __future__ import annotations

from pydantic import Field

from hearth.knative.duck import Addressable, Status
from hearth.kube.models import Int64, Model, Url


class TrafficTarget(Model):
    """One Revision, or the latest of a Configuration, with its share."""

    tag: str = ""
    """A name of its own for this target: TAG-NAME.NAMESPACE.DOMAIN."""
    revision_name: str = ""
    """The Revision; or configurationName."""
    configuration_name: str = ""
    """The Configuration whose latest ready Revision is meant. Not in a Service."""
    latest_revision: bool | None = None
    """Whether this follows the latest ready Revision; true without revisionName."""
    percent: Int64 | None = None
    """Share of the traffic; all shares add up to 100."""
    url: Url | None = None
    """Where a tagged target is reached. Only in the status."""


class RouteSpec(Model):
    """What the user asks for."""

    traffic: list[TrafficTarget] = Field(default_factory=list)
    """How traffic is split."""


class RouteStatusFields(Model):
    """Fields that a Service's status has too."""

    url: str | None = None
    """Where the route is reached."""
    address: Addressable | None = None
    """Where the route is reached from inside the cluster."""
    traffic: list[TrafficTarget] = Field(default_factory=list)
    """The split as it is; latest revisions are named."""


class RouteStatus(Status, RouteStatusFields):
    """What came of it."""
