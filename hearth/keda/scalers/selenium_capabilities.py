"""Which browsers of a Selenium Grid a trigger is about, and how many nodes they need. Pure.

Source: KEDA's ``selenium_grid_scaler.go``, after Selenium's ``DefaultSlotMatcher`` and
``Platform``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DOWNLOADS = "se:downloadsEnabled"
_OF_VENDORS = ("goog:", "moz:", "ms:", "se:")
_FAMILIES = {
    "a windows": (
        *("windows server 2003", "xp", "winnt", "windows_nt", "windows nt"),
        *("windows server 2008", "windows vista", "windows server 2012"),
        *("windows 7", "win7", "windows 8", "win8", "windows 8.1", "win8.1"),
        *("windows 10", "win10", "windows 11", "win11"),
    ),
    "a mac": (
        *(f"{name} 10.{n}" for name in ("os x", "macos") for n in (6, *range(8, 16))),
        *(f"{name} {n}.0" for name in ("os x", "macos") for n in range(11, 16)),
        *("snow leopard", "mountain lion", "mavericks", "yosemite", "el capitan", "sierra"),
        *("high sierra", "mojave", "catalina", "big sur", "monterey", "ventura", "sonoma"),
        "sequoia",
    ),
    "a unix": ("linux", "bsd", "solaris"),
    "mac": ("darwin", "macos", "mac os x", "os x"),
    "android": ("dalvik",),
    "any": ("",),
}
_KINDS = {name: family for family, names in _FAMILIES.items() for name in names}


def platform(name: str) -> str:
    """Return what stands for a platform: the same for those that take each other's place."""
    return _KINDS.get(name.lower(), name.lower())


@dataclass(frozen=True, slots=True)
class Wanted:
    """The browsers of one trigger."""

    browser: str = ""
    version: str = ""
    platform: str = ""
    session_browser: str = ""
    """What nodes call the browser, where that is another name than requests have."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def is_asked_by(self, request: Mapping[str, Any]) -> bool:
        """Return whether a request in the queue is for these browsers."""
        return self._matches(request, {self.browser.lower()})

    def is_offered_by(self, stereotype: Mapping[str, Any]) -> bool:
        """Return whether a slot of a node, or a session in it, is of these browsers."""
        return self._matches(stereotype, {self.browser.lower(), self.session_browser.lower()})

    def _matches(self, found: Mapping[str, Any], browsers: set[str]) -> bool:
        own, version = self.capabilities, _text(found, "browserVersion")
        return (
            _text(found, "browserName").lower() in browsers
            and (self.version.startswith(version) if version else not self.version)
            and platform(_text(found, "platformName")) == platform(self.platform)
            and (found.get(DOWNLOADS) is not True or own.get(DOWNLOADS) is True)
            and all(
                key in found and found[key] == value
                for key, value in own.items()
                if not key.startswith(_OF_VENDORS)
            )
        )


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _document(text: Any, kind: type) -> Any:
    """What a text in the answer says, empty where it is broken: it hurts itself only."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return kind()
    return found if isinstance(found, kind) else kind()


class _Node:
    """A node, and how many requests it can still take."""

    def __init__(self, found: Mapping[str, Any], wanted: Wanted) -> None:
        offered = _document(found.get("stereotypes"), list)
        self.slots = sum(
            each.get("slots", 0) for each in offered if wanted.is_offered_by(each["stereotype"])
        )
        slots = (session.get("slot", {}).get("stereotype") for session in found["sessions"])
        self.sessions = sum(wanted.is_offered_by(_document(each, dict)) for each in slots)
        self.free = found["maxSession"] - found["sessionCount"]
        self.is_up = str(found.get("status", "")).upper() == "UP"

    def take(self) -> bool:
        """Take one more request, if it can."""
        takes = self.is_up and self.free > 0 and self.slots > self.sessions
        self.free -= takes
        return takes


def nodes_needed(data: Mapping[str, Any], wanted: Wanted, node_sessions: int) -> int:
    """Return the sessions that go on and the new nodes that the requests in the queue need."""
    nodes = [_Node(found, wanted) for found in data["nodesInfo"]["nodes"]]
    requests = (_document(each, dict) for each in data["sessionsInfo"]["sessionQueueRequests"])
    made: list[int] = []
    for request in requests:
        if wanted.is_asked_by(request) and not any(node.take() for node in nodes):
            _place(made, node_sessions)
    return len(made) + sum(node.sessions for node in nodes)


def _place(made: list[int], node_sessions: int) -> None:
    """Put a request into a new node that has room, or into one more."""
    for place, free in enumerate(made):
        if free > 0:
            made[place] -= 1
            return
    made.append(node_sessions - 1)


def capabilities_of(text: str, has_downloads: bool) -> dict[str, Any]:
    """Return a trigger's capabilities; what is no JSON is none, as in KEDA."""
    found: dict[str, Any] = _document(text or "{}", dict)
    return {**found, **({DOWNLOADS: True} if has_downloads else {})}


def name_of(parts: Iterable[str]) -> str:
    """Return what is measured."""
    return "-".join(("selenium-grid", *filter(None, parts)))
