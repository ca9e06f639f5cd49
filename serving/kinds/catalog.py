"""Every controller of serving: the one list that a new kind is added to. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hearth.kube.controllerspec import ControllerSpec
from hearth.kube.resources import Resource
from serving.api.settings import Settings
from serving.kinds import gc, labeler, shown
from serving.kinds.certificate import kind as certificate
from serving.kinds.certificate.local import Authority
from serving.kinds.configuration import kind as configuration
from serving.kinds.domainmapping import kind as domainmapping
from serving.kinds.podautoscaler import kind as podautoscaler
from serving.kinds.revision import kind as revision
from serving.kinds.revision.digests import UNASKED
from serving.kinds.route import kind as route
from serving.kinds.service import kind as service


def controllers(
    settings: Callable[[], Settings],
    autoscaling: podautoscaler.Autoscaling,
    authority: Authority | None = None,
    digests: revision.DigestsOf = lambda _: UNASKED,
    views: Mapping[Resource, shown.View] | None = None,
) -> tuple[ControllerSpec[Any, Settings], ...]:
    """Return the controllers, given where settings and the autoscaler's decisions come from.

    ``authority`` signs certificates, where there is one; ``digests`` knows what images stand for;
    ``views`` are what is written of PodAutoscalers for clients alone.
    """
    signing = () if authority is None else (certificate.local_controller(authority),)
    showing = (shown.controller(views),) if views else ()
    return (
        *signing,
        *showing,
        service.CONTROLLER,
        configuration.CONTROLLER,
        revision.controller(autoscaling.quiet_seconds, digests),
        route.controller(settings),
        labeler.CONTROLLER,
        podautoscaler.controller(autoscaling),
        domainmapping.CONTROLLER,
        gc.CONTROLLER,
    )
