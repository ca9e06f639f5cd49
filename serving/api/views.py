"""Typed looks at serving's objects as they are stored. Pure.

Reconcilers read by these; the models beside them are for CRDs and admission.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hearth.knative.views import KnativeView
from hearth.kube import meta
from hearth.kube.meta import Object, labels
from serving.api import keys

Fields = Mapping[str, Any]


class TrafficTarget:
    """One entry of ``spec.traffic`` or ``status.traffic``."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    @property
    def revision(self) -> str:
        """The Revision it names; "" when it names none."""
        return self._fields.get("revisionName") or ""

    @property
    def configuration(self) -> str:
        """The Configuration whose latest ready Revision it means; "" when it names none."""
        return self._fields.get("configurationName") or ""

    @property
    def percent(self) -> int:
        """Its share of the requests."""
        return int(self._fields.get("percent") or 0)

    @property
    def tag(self) -> str:
        """The name under which it is reached alone; "" without one."""
        return self._fields.get("tag") or ""

    @property
    def latest_revision(self) -> bool | None:
        """Whether it follows the latest Revision; None when it does not say."""
        return self._fields.get("latestRevision")


def _targets(entries: Sequence[Fields] | None) -> Iterator[TrafficTarget]:
    return map(TrafficTarget, entries or ())


class _Templated(KnativeView):
    """A kind with a Revision template."""

    __slots__ = ()

    @property
    def template(self) -> Fields:
        """The template of revisions."""
        template: Fields = self.spec["template"]
        return template

    @property
    def template_name(self) -> str:
        """The Revision name that the user chose, or ""."""
        return str((self.template.get("metadata") or {}).get("name") or "")

    @property
    def template_spec(self) -> Fields | None:
        """The spec that revisions get."""
        return self.template.get("spec")

    @property
    def latest_created(self) -> str:
        """The Revision made last."""
        return self.status.get("latestCreatedRevisionName") or ""

    @property
    def latest_ready(self) -> str:
        """The newest Revision that has been ready."""
        return self.status.get("latestReadyRevisionName") or ""


class _Routed(KnativeView):
    """A kind with traffic."""

    __slots__ = ()

    @property
    def traffic(self) -> Iterator[TrafficTarget]:
        """Where requests should go."""
        return _targets(self.spec.get("traffic"))

    @property
    def served_traffic(self) -> Iterator[TrafficTarget]:
        """Where requests go now."""
        return _targets(self.status.get("traffic"))


class Service(_Templated, _Routed):
    """A Service: a Configuration and a Route in one."""

    __slots__ = ()


class Configuration(_Templated):
    """A Configuration."""

    __slots__ = ()


class Route(_Routed):
    """A Route."""

    __slots__ = ()

    @property
    def tags(self) -> list[str]:
        """The tags of its traffic, sorted, each once."""
        return sorted({target.tag for target in self.traffic if target.tag})


class Revision(KnativeView):
    """A Revision."""

    __slots__ = ()

    @property
    def containers(self) -> Sequence[Fields]:
        """Its containers."""
        return self.spec.get("containers") or ()

    @property
    def init_containers(self) -> Sequence[Fields]:
        """What runs before them."""
        return self.spec.get("initContainers") or ()

    @property
    def serving_container(self) -> Fields:
        """The container that gets the requests: the only one, or the one with a port."""
        containers = self.containers or ({},)
        if len(containers) == 1:
            return containers[0]
        return next((c for c in containers if c.get("ports")), containers[0])

    @property
    def user_port(self) -> int:
        """The port that the serving container listens on."""
        for port in self.serving_container.get("ports") or ():
            if port.get("containerPort"):
                return int(port["containerPort"])
        return keys.DEFAULT_USER_PORT

    @property
    def protocol(self) -> str:
        """Return h2c when a container's port is named so, else HTTP/1."""
        for container in self.containers:
            for port in container.get("ports") or ():
                if port.get("name") == keys.PROTOCOL_H2C:
                    return keys.PROTOCOL_H2C
        return keys.PROTOCOL_HTTP1

    @property
    def container_concurrency(self) -> int:
        """Requests that one pod takes at a time; 0 means as many as come."""
        return int(self.spec.get("containerConcurrency") or 0)

    @property
    def timeout_seconds(self) -> int | None:
        """How long a request may take; None when it is left open."""
        return self.spec.get("timeoutSeconds")

    @property
    def configuration_generation(self) -> str:
        """The generation of the Configuration it was made of, as its label has it."""
        return labels(self.object).get(keys.CONFIGURATION_GENERATION, "")


class PodAutoscaler(KnativeView):
    """A PodAutoscaler."""

    __slots__ = ()

    @property
    def target_name(self) -> str:
        """The Deployment it scales."""
        return str(self.spec["scaleTargetRef"]["name"])

    @property
    def protocol(self) -> str:
        """What its pods speak."""
        return self.spec.get("protocolType") or keys.PROTOCOL_HTTP1

    @property
    def container_concurrency(self) -> int:
        """Requests that one pod takes at a time; 0 means as many as come."""
        return int(self.spec.get("containerConcurrency") or 0)

    @property
    def is_reachable(self) -> bool:
        """Whether a route may lead to it."""
        return bool(self.spec.get("reachability") != keys.UNREACHABLE)

    @property
    def service_name(self) -> str:
        """The Service in front of its pods; "" before there is one."""
        return self.status.get("serviceName") or ""

    @property
    def actual_scale(self) -> int | None:
        """The pods that are ready, as last told."""
        return self.status.get("actualScale")

    @property
    def desired_scale(self) -> int | None:
        """The pods decided on, as last told; -1 while that is not known."""
        return self.status.get("desiredScale")


class DomainMapping(KnativeView):
    """A DomainMapping."""

    __slots__ = ()

    @property
    def reference(self) -> Fields:
        """What it leads to."""
        return self.spec.get("ref") or {}

    @property
    def has_tls(self) -> bool:
        """Whether it brings a certificate."""
        return bool(self.spec.get("tls"))

    @property
    def secret_name(self) -> str:
        """The Secret of its certificate; "" without one."""
        return (self.spec.get("tls") or {}).get("secretName") or ""


class Certificate(KnativeView):
    """A Certificate that somebody is asked for."""

    __slots__ = ()

    @property
    def certificate_class(self) -> str:
        """Who is asked."""
        return keys.CERTIFICATE_CLASS.value(meta.annotations(self.object))

    @property
    def dns_names(self) -> list[str]:
        """The names that it is for."""
        return list(self.spec.get("dnsNames") or ())

    @property
    def secret_name(self) -> str:
        """The Secret that gets it."""
        return self.spec.get("secretName") or ""

    @property
    def reason(self) -> str:
        """Why it is not ready; "" while nobody has said."""
        return str((self.conditions.get(keys.READY) or {}).get("reason") or "")

    @property
    def is_renewed(self) -> bool:
        """Whether its time is up, and a new one is asked for."""
        return self.conditions.is_true("Renewing")

    @property
    def challenges(self) -> tuple[Fields, ...]:
        """What an ACME server wants to see at the names by plain http."""
        return tuple(self.status.get("http01Challenges") or ())


class DomainClaim(KnativeView):
    """A ClusterDomainClaim."""

    __slots__ = ()

    @property
    def namespace(self) -> str:
        """Whose mappings may use the name."""
        return self.spec.get("namespace") or ""


def targets_of(route: Object) -> list[TrafficTarget]:
    """Return what a route leads to now and what it should lead to."""
    view = Route(route)
    return [*view.served_traffic, *view.traffic]
