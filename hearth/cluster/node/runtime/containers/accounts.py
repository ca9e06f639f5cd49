"""Users of an image by its own ``/etc/passwd`` and ``/etc/group``, as engines read them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.cluster.node.runtime.api import CreateError

_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is, in numbers; ``home`` is HOME where the environment has none."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


def identity_of(user: str, passwd: str, group: str) -> Identity:
    """What ``USER[:GROUP]`` means by these files; raises CreateError for a name not in them."""
    name, _, group_name = user.partition(":")
    entries = _lines(passwd, 7)
    entry = next((e for e in entries if name and name in (e[0], e[2])), None)
    if entry is None and name and not is_number(name):
        text = f"unable to find user {name}: no matching entries in passwd file"
        raise CreateError("CreateContainerError", text)
    entry = entry or next((e for e in entries if e[2] == (name or "0")), None)
    groups = _lines(group, 4)
    uid = int(entry[2]) if entry else int(name or 0)
    gid = _group(group_name, groups) if group_name else int(entry[3]) if entry else 0
    more = () if group_name or entry is None else _memberships(entry[0], groups)
    return Identity(uid, gid, more, (entry[5] if entry else "") or ("/root" if uid == 0 else "/"))


def is_number(text: str) -> bool:
    """Whether it is the id of a user or group; other digits than ours are not, nor too many."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _group(name: str, groups: list[list[str]]) -> int:
    entry = next((g for g in groups if name in (g[0], g[2])), None)
    if entry is not None:
        return int(entry[2])
    if is_number(name):
        return int(name)
    text = f"unable to find group {name}: no matching entries in group file"
    raise CreateError("CreateContainerError", text)


def _memberships(user: str, groups: list[list[str]]) -> tuple[int, ...]:
    return tuple(int(g[2]) for g in groups if user in g[3].split(","))


def _lines(text: str, fields: int) -> list[list[str]]:
    """Entries whose numbers are numbers; what an image has broken there is passed over."""
    entries = [line.split(":") for line in text.splitlines()]
    return [
        e
        for e in entries
        if len(e) >= fields and is_number(e[2]) and (fields == 4 or is_number(e[3]))
    ]
