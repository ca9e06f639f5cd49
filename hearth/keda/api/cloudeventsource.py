"""CloudEventSource and ClusterCloudEventSource: what happens to KEDA's objects, as CloudEvents."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hearth.keda.api import keys
from hearth.keda.api.shapes import (
    AuthenticationRef,
    Condition,
    Kind,
    Needed,
    crd,
    one_of,
    state_column,
)
from hearth.kube.crdgen import Crd, Version
from hearth.kube.models import Model
from hearth.kube.resources import Resource

_EVENT_TYPE = Annotated[str, one_of(*keys.EVENT_TYPES)]


class HttpDestination(Model):
    """Events are sent by HTTP."""

    go_type: ClassVar[str] = "v1alpha1.CloudEventHTTP"

    uri: Needed[str] = ""
    """Where to."""


class AzureEventGridTopic(Model):
    """Events are sent to a topic of Azure Event Grid."""

    go_type: ClassVar[str] = "v1alpha1.AzureEventGridTopicSpec"

    endpoint: Needed[str] = ""
    """Where the topic is."""


class Destination(Model):
    """Where events go."""

    go_type: ClassVar[str] = "v1alpha1.Destination"

    http: HttpDestination | None = None
    """Events are sent by HTTP."""
    azure_event_grid_topic: AzureEventGridTopic | None = None
    """Events are sent to a topic of Azure Event Grid."""


class EventSubscription(Model):
    """Which events are sent; all where nothing is said."""

    go_type: ClassVar[str] = "v1alpha1.EventSubscription"

    included_event_types: list[_EVENT_TYPE] = Field(default_factory=list)
    """These alone."""
    excluded_event_types: list[_EVENT_TYPE] = Field(default_factory=list)
    """All but these."""


class CloudEventSourceSpec(Model):
    """Which events are sent where."""

    go_type: ClassVar[str] = "v1alpha1.CloudEventSourceSpec"

    cluster_name: str = ""
    """The cluster's name in the events' source."""
    destination: Needed[Destination] = Field(default_factory=Destination)
    """Where events go."""
    authentication_ref: AuthenticationRef | None = None
    """With which credentials."""
    event_subscription: EventSubscription = Field(default_factory=EventSubscription)
    """Which events are sent."""


class CloudEventSourceStatus(Model):
    """What has become of it."""

    go_type: ClassVar[str] = "v1alpha1.CloudEventSourceStatus"

    conditions: list[Condition] = Field(default_factory=list)
    """Active."""


class CloudEventSource(Kind):
    """A whole CloudEventSource or ClusterCloudEventSource."""

    spec: CloudEventSourceSpec = Field(default_factory=CloudEventSourceSpec)
    status: CloudEventSourceStatus = Field(default_factory=CloudEventSourceStatus)


ClusterCloudEventSource = CloudEventSource


def _crd(resource: Resource, description: str) -> Crd:
    version = Version(
        "v1alpha1",
        CloudEventSourceSpec,
        CloudEventSourceStatus,
        columns=(state_column("Active"),),
        required=("spec",),
        description=description,
    )
    return crd(resource, version)


CRD = _crd(keys.CLOUDEVENTSOURCES, "Sends what happens to scaled objects of its namespace.")
CLUSTER_CRD = _crd(keys.CLUSTERCLOUDEVENTSOURCES, "Sends what happens to all scaled objects.")
