"""Names of topics and groups, by upstream's templates (``config-kafka-features``). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

BROKERS_TOPIC = "knative-broker-{{ .Namespace }}-{{ .Name }}"
CHANNELS_TOPIC = "knative-messaging-kafka.{{ .Namespace }}.{{ .Name }}"
TRIGGERS_GROUP = "knative-trigger-{{ .Namespace }}-{{ .Name }}"

_FIELD = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELDS = {".Namespace": "namespace", ".Name": "name", ".UID": "uid"}
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_PLAIN = 200


def of_template(template: str, metadata: Mapping[str, object]) -> str:
    """Return what a template says of an object; raise ValueError for what it cannot say.

    Of Go's templates what upstream documents: fields of the object's metadata.
    """

    def value(match: re.Match[str]) -> str:
        field = _FIELDS.get(match[1])
        if field is None:
            known = ", ".join(_FIELDS)
            raise ValueError(f"template {template!r}: {match[1]!r} is none of {known}")
        return str(metadata.get(field) or "")

    made = _FIELD.sub(value, template)
    if "{{" in made or "}}" in made:
        raise ValueError(f"template {template!r} has a brace too many")
    return made


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
