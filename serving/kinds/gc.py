"""Collects revisions that no route has led to for long, by config-gc. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hearth.knative.resources import REVISIONS
from hearth.kube import meta
from hearth.kube.clock import parse_rfc3339
from hearth.kube.controllerspec import ControllerSpec, Lister, Watch, is_made_otherwise, label_key
from hearth.kube.meta import Key, Object, is_deleting, labels, name, namespace, uid
from hearth.kube.plan import Delete, Plan
from serving.api import keys, views
from serving.api.config.gc import GcConfig
from serving.api.settings import Settings
from serving.kinds import sources
from serving.kinds.configuration.kind import revisions_of
from serving.kinds.status import names_otherwise


@dataclass(frozen=True, slots=True)
class Observed:
    """What the collector sees of one Configuration."""

    configuration: Object
    revisions: tuple[Object, ...] = ()
    """All that carry the configuration's label."""


def observe(lister: Lister, key: Key) -> Observed | None:
    """Look up the Configuration and its revisions."""
    configuration = lister.get(sources.CONFIGURATIONS, *key)
    if configuration is None:
        return None
    return Observed(configuration, revisions_of(lister, key))


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Delete what is stale, and what is more than may be kept."""
    configuration, config = observed.configuration, settings.gc
    if is_deleting(configuration) or _is_off(config):
        return Plan()
    idle = [r for r in observed.revisions if not _is_in_use(r, configuration)]
    min_kept = config.min_non_active_revisions
    if len(idle) <= min_kept:
        return Plan()
    idle.sort(key=lambda r: (last_active(r), name(r)))
    spare = len(idle) - min_kept
    stale = [r for r in idle if _is_stale(r, config, now=now)][:spare]
    kept = [r for r in idle if r not in stale]
    max_kept = config.max_non_active_revisions
    surplus = kept[: max(0, len(kept) - max_kept)] if max_kept is not None else []
    doomed = [*stale, *surplus]
    return Plan(
        tuple(Delete(REVISIONS, namespace(r), name(r), uid=uid(r)) for r in doomed),
        requeue_after=_next_look(kept, config, now=now),
    )


def _is_off(config: GcConfig) -> bool:
    return (
        config.max_non_active_revisions is None
        and config.retain_since_create_time is None
        and config.retain_since_last_active_time is None
    )


def _is_in_use(revision: Object, configuration: Object) -> bool:
    """Only what is known to be in reserve may go; the latest ready one never."""
    latest = views.Configuration(configuration).latest_ready
    return (
        name(revision) == latest
        or is_deleting(revision)
        or meta.annotations(revision).get(keys.NO_GC, "").lower() == "true"
        or labels(revision).get(keys.ROUTING_STATE) != keys.STATE_RESERVE
    )


def last_active(revision: Object) -> float:
    """Return when a route led to the revision last, in Unix seconds."""
    modified = meta.annotations(revision).get(keys.ROUTING_STATE_MODIFIED)
    try:
        return parse_rfc3339(modified) if modified else _created(revision)
    except ValueError:
        return _created(revision)


def _created(revision: Object) -> float:
    return parse_rfc3339(meta.creation_timestamp(revision))


def _stale_at(revision: Object, config: GcConfig) -> float | None:
    """From when on the revision is stale; None when time never makes it so."""
    since_create, since_active = (
        config.retain_since_create_time,
        config.retain_since_last_active_time,
    )
    if since_create is None and since_active is None:
        return None
    return max(
        _created(revision) + (since_create or 0.0), last_active(revision) + (since_active or 0.0)
    )


def _is_stale(revision: Object, config: GcConfig, *, now: float) -> bool:
    since = _stale_at(revision, config)
    return since is not None and now >= since


def _next_look(kept: list[Object], config: GcConfig, *, now: float) -> float | None:
    """Return seconds until one more revision may have to go; nothing else would wake us for it."""
    if len(kept) <= config.min_non_active_revisions:
        return None
    times = [moment for r in kept if (moment := _stale_at(r, config)) is not None and moment > now]
    return min(times) - now + 1.0 if times else None


CONTROLLER: ControllerSpec[Observed, Settings] = ControllerSpec(
    "serving-gc",
    sources.CONFIGURATIONS,
    observe,
    reconcile,
    when=names_otherwise,
    watches=(Watch(sources.REVISIONS, label_key(keys.CONFIGURATION), when=is_made_otherwise),),
    indexes=(sources.REVISIONS_BY_CONFIGURATION,),
)
