"""Settings from ConfigMaps: typed, live, and always a value that parsed.

A project declares its settings as one frozen dataclass whose fields name the ConfigMap that fills
them (knative.dev/pkg/configmap does the same with constructors and informed watchers)::

    @dataclass(frozen=True, slots=True)
    class Settings:
        gc: GcConfig = from_config_map("config-gc", GcConfig.from_data)

The declaration serves both ends: ``LiveSettings`` follows the ConfigMaps, and admission refuses a
ConfigMap whose parser complains (``parsers``).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from hearth.kube.cache import WatchCache
from hearth.kube.meta import Object, name, namespace
from hearth.kube.plan import Event

log = logging.getLogger(__name__)

T = TypeVar("T")
Parse = Callable[[Mapping[str, str]], Any]
"""Reads a ConfigMap's data; raises ValueError, in Knative's words, where it cannot be used."""

_CONFIG_MAP = "config_map"


def from_config_map(config_map: str, parse: Callable[[Mapping[str, str]], T]) -> T:
    """Declare a settings field that a ConfigMap fills; without one, ``parse({})`` holds."""
    return dataclasses.field(
        default_factory=partial(parse, {}), metadata={_CONFIG_MAP: (config_map, parse)}
    )


def parsers(settings: Any) -> dict[str, Parse]:
    """Return the parsers of a settings class (or instance), by the name of their ConfigMap."""
    return {name: parse for name, (_, parse) in _declared(settings).items()}


def _declared(settings: Any) -> dict[str, tuple[str, Parse]]:
    declared = {}
    for field in dataclasses.fields(settings):
        if _CONFIG_MAP in field.metadata:
            config_map, parse = field.metadata[_CONFIG_MAP]
            declared[config_map] = (field.name, parse)
    return declared


class LiveSettings(Generic[T]):
    """Settings that follow their ConfigMaps; ``value`` is replaced as a whole at each change."""

    def __init__(self, initial: T) -> None:
        self.value = initial
        self._declared = _declared(initial)
        self._callbacks: list[Callable[[T], None]] = []

    def on_change(self, callback: Callable[[T], None]) -> None:
        """Call back with the new value after each change."""
        self._callbacks.append(callback)

    def offer(self, config_map: str, data: Mapping[str, str]) -> str:
        """Take the data of a ConfigMap; data that cannot be used is logged and left out.

        Return why it cannot, else "". Names that no field declares are ignored. Keys that begin
        with an underscore are examples.
        """
        if config_map not in self._declared:
            return ""
        field, parse = self._declared[config_map]
        try:
            parsed = parse({key: value for key, value in data.items() if not key.startswith("_")})
        except ValueError as error:
            return self._keep(config_map, str(error))
        except Exception as error:
            # A fault of the parser, not of the process: whoever can write a ConfigMap must not be
            # able to end the control plane with it.
            log.exception("config map parser failed", extra={"config_map": config_map})
            return self._keep(config_map, f"{type(error).__name__}: {error}")
        self._replace(field, parsed)
        return ""

    def _keep(self, config_map: str, reason: str) -> str:
        log.error(
            "config map ignored, the last good one stays",
            extra={"config_map": config_map, "error": reason},
        )
        return reason

    def _replace(self, field: str, parsed: Any) -> None:
        if parsed == getattr(self.value, field):
            return
        self.value = dataclasses.replace(self.value, **{field: parsed})  # type: ignore[type-var]
        for callback in self._callbacks:
            callback(self.value)

    def follow(
        self,
        cache: WatchCache,
        *,
        system_namespace: str,
        record: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Follow the ConfigMaps of one namespace; a deleted one means the defaults.

        ``record`` gets an Event about each that cannot be used: nobody else tells, where it came
        past admission.
        """

        def changed(old: Object | None, new: Object | None) -> None:
            obj = new if new is not None else old
            if obj is None or namespace(obj) != system_namespace:
                return
            why = self.offer(name(obj), (new.get("data") or {}) if new is not None else {})
            if why:
                about = {"apiVersion": "v1", "kind": "ConfigMap", **obj}
                text = f"The settings from before hold, or the defaults: {why}"
                record(Event(about, "Warning", "InvalidSettings", text))

        cache.on_change(changed)
