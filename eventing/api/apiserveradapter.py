"""What an ApiServerSource's adapter is told, in the variable ``K_SOURCE_CONFIG``. Pure.

The JSON is that of Knative's adapter, and beyond it the ``source`` of the events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.kube.meta import Object, controller_of, labels
from hearth.kube.selectors import parse_label_selector

CONFIG = "K_SOURCE_CONFIG"
RESOURCE_MODE = "Resource"


@dataclass(frozen=True, slots=True)
class Watched:
    """One kind of objects, those with certain labels."""

    group: str
    version: str
    plural: str
    selector: str = ""

    def selects(self, obj: Object) -> bool:
        """Whether an object has the labels."""
        return not self.selector or parse_label_selector(self.selector).matches(labels(obj))


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What to watch, and what to send of it."""

    source: str
    watched: Sequence[Watched]
    namespaces: Sequence[str] = ()
    all_namespaces: bool = False
    whole: bool = False
    """Whether events carry the whole object, not a reference."""
    owner: Mapping[str, str] = field(default_factory=dict)
    """API version and kind that the object's controller has to have."""
    filters: Sequence[Mapping[str, Any]] = ()

    def is_owned(self, obj: Object) -> bool:
        """Whether an object is of the owner that is asked for, if one is."""
        if not self.owner:
            return True
        found = controller_of(obj)
        return found is not None and all(
            not self.owner.get(name) or self.owner[name] == found.get(name)
            for name in ("apiVersion", "kind")
        )

    def to_json(self) -> str:
        """Return the text that the adapter is given."""
        content: dict[str, Any] = {
            "namespaces": list(self.namespaces),
            "allNamespaces": self.all_namespaces,
            "resources": [
                {
                    "gvr": {"Group": each.group, "Version": each.version, "Resource": each.plural},
                    **({"selector": each.selector} if each.selector else {}),
                }
                for each in self.watched
            ],
            "mode": RESOURCE_MODE if self.whole else "Reference",
            "source": self.source,
        }
        if self.owner:
            content["owner"] = dict(self.owner)
        if self.filters:
            content["filters"] = list(self.filters)
        return json.dumps(content, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> AdapterConfig:
        """Read the text; raise ValueError where it is none."""
        try:
            content = json.loads(text)
            watched = [
                Watched(
                    each["gvr"]["Group"],
                    each["gvr"]["Version"],
                    each["gvr"]["Resource"],
                    each.get("selector", ""),
                )
                for each in content["resources"]
            ]
            return cls(
                content["source"],
                watched,
                namespaces=list(content.get("namespaces") or ()),
                all_namespaces=bool(content.get("allNamespaces")),
                whole=content.get("mode") == RESOURCE_MODE,
                owner=content.get("owner") or {},
                filters=content.get("filters") or (),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{CONFIG} cannot be read: {error!r}") from None
