"""Service: a Configuration and a Route as one object."""

from __future__ import annotations

from hearth.knative.duck import Status
from serving.api.configuration import ConfigurationSpec, ConfigurationStatusFields
from serving.api.route import RouteSpec, RouteStatusFields


class ServiceSpec(RouteSpec, ConfigurationSpec):
    """Fields of the Configuration come first, as in Go: bases are read from the right."""


class ServiceStatus(Status, RouteStatusFields, ConfigurationStatusFields):
    """What came of the Service: the Configuration's fields and the Route's."""
