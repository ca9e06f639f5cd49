"""Names of topics and groups that nobody else names. Pure."""

from __future__ import annotations

import re
from hashlib import blake2b

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_PLAIN = 200


def check_topic(name: str) -> str:
    """Return a name that Kafka takes for a topic; raise ValueError for others."""
    if _TOPIC.fullmatch(name) is None or name in (".", ".."):
        raise ValueError(f"{name!r} is no topic: letters, digits, '.', '_' and '-', 249 at most")
    return name


def topic_of(prefix: str, key: str) -> str:
    """Return the topic of a log for which nobody named one."""
    plain = _ODD.sub("_", key)
    if plain == key and len(key) <= _LONGEST_PLAIN:
        return f"{prefix}-{key}"
    digest = blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{prefix}-{plain[:_LONGEST_PLAIN]}-{digest}"


def state_topic(prefix: str) -> str:
    """Return the topic with how far consumers are."""
    return f"{prefix}-state"


def members_group(prefix: str, topic: str) -> str:
    """Return the group by which processes share the partitions of a log."""
    return f"{prefix}-dispatchers-{topic}"
