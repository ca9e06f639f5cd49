"""Whom deliveries trust beside the system: authorities of ``knative-eventing``'s trust bundles."""

from __future__ import annotations

from collections.abc import Callable

from eventing.api import keys
from eventing.api.trust import combined, is_bundle, system_bundles
from hearth.kube.controllerspec import Source
from hearth.kube.manager import Manager
from hearth.kube.meta import Object
from hearth.kube.resources import CONFIGMAPS

_CONFIG_MAPS = Source(CONFIGMAPS, namespace=keys.SYSTEM_NAMESPACE)
"""Followed for the settings anyway."""


class TrustBundles:
    """Tells ``changed`` of all certificates whenever they are others."""

    def __init__(self, manager: Manager, changed: Callable[[str], None]) -> None:
        self._manager = manager
        self._changed = changed
        self.pem = ""
        """All certificates, one after the other."""
        manager.on_change(_CONFIG_MAPS, self._look)

    def _look(self, old: Object | None, new: Object | None) -> None:
        if not any(each is not None and is_bundle(each) for each in (old, new)):
            return
        pem = combined(system_bundles(self._manager.list(_CONFIG_MAPS)))
        if pem != self.pem:
            self.pem = pem
            self._changed(pem)
