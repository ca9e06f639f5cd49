"""Forecasts of the Services that ask for one: fed each tick, kept in a ConfigMap of each.

A Service is forecast where the revision is led that gets most of its traffic; with several leaders
the need of revisions that another one leads is taken to be in proportion. The ConfigMap (``SERVICE-
forecast``) is written once an hour at most, and belongs to the Service.
"""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from hearth.kube import meta
from hearth.kube.client import KubeClient
from hearth.kube.clock import Clock, parse_rfc3339, rfc3339
from hearth.kube.controllerspec import Lister
from hearth.kube.errors import ApiError, NotFound, Retryable
from hearth.kube.meta import Key, Object, is_controlled_by, key, key_text, owner_reference
from hearth.kube.plan import Create, Patch, Plan
from hearth.kube.resources import CONFIGMAPS
from serving.api import keys
from serving.api.season import Season, parse_season
from serving.autoscaler.forecast import Forecast, Forecaster, History, changes_at
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.wishes import ALL_TRAFFIC, Shares
from serving.kinds import sources

log = logging.getLogger(__name__)

SAVE_SECONDS = 3600.0
_HISTORY, _SEASON, _SAVED = "history", "season", "saved"


@dataclass
class _Followed:
    """One Service that is forecast."""

    season: Season
    forecaster: Forecaster | None = None
    """None until it is known what was kept."""
    told: Forecast | None = None
    is_new: bool = False
    """Whether the history says more than what is kept."""
    saved_at: float = 0.0
    exists: bool = False
    is_busy: bool = False
    traffic: Mapping[str, int] = field(default_factory=dict)


class Forecasting:
    """``traffic`` is what a Service's revisions get, ``tell`` has a revision's wishes looked at."""

    def __init__(
        self,
        lister: Lister,
        multiscaler: Multiscaler,
        client: KubeClient,
        *,
        traffic: Callable[[Key], Mapping[str, int]],
        leads: Callable[[Key], bool],
        tell: Callable[[Key], None],
        apply: Callable[[Plan], Awaitable[None]],
        spawn: Callable[[str, Awaitable[None]], object],
        clock: Clock,
    ) -> None:
        self._lister = lister
        self._multiscaler = multiscaler
        self._client = client
        self._traffic = traffic
        self._leads = leads
        self._tell = tell
        self._apply = apply
        self._spawn = spawn
        self._clock = clock
        self._followed: dict[Key, _Followed] = {}
        self._look_at = 0.0

    def shares(self, service: Key, revision: Key, percent: int) -> Shares:
        """Return what a forecast wishes for a revision."""
        followed = self._followed.get(service)
        if followed is None or followed.told is None or not percent:
            return ()
        return followed.told.shares(revision, percent)

    def tick(self, now: float) -> None:
        """Take what is needed now; twice in a slot also look what is expected, and of whom."""
        is_due = now >= self._look_at
        if is_due:
            self._follow()
            self._look_at = changes_at(now)
        for service, followed in self._followed.items():
            if followed.forecaster is not None:
                need = self._need(service, followed.traffic, now)
                followed.is_new |= followed.forecaster.see(need, now)
                if is_due:
                    self._foretell(service, followed, followed.forecaster.forecast(now))
            if is_due and not followed.is_busy:
                self._keep(service, followed, now)

    def _need(self, service: Key, traffic: Mapping[str, int], now: float) -> float:
        where = service[0]
        here = [name for name in traffic if self._leads((where, name))]
        need = sum(self._multiscaler.need((where, name), now) for name in here)
        known = sum(traffic[name] for name in here)
        return need * ALL_TRAFFIC / known if known else need

    def _foretell(self, service: Key, followed: _Followed, told: Forecast) -> None:
        traffic = self._traffic(service)
        if (told, traffic) == (followed.told, followed.traffic):
            return
        names = followed.traffic.keys() | traffic.keys()
        followed.told, followed.traffic = told, traffic
        for name in names:
            self._tell((service[0], name))

    # -- whom it is about --------------------------------------------------------------------------

    def _follow(self) -> None:
        """Go by the Services there are now, and by what they ask for."""
        wanted = {}
        for service in self._lister.list(sources.SERVICES):
            season = season_of(service)
            if season is not None and self._is_ours(key(service)):
                wanted[key(service)] = season
        for gone in self._followed.keys() - wanted.keys():
            traffic = self._followed.pop(gone).traffic
            for name in traffic:
                self._tell((gone[0], name))
        for where, season in wanted.items():
            followed = self._followed.get(where)
            if followed is None or followed.season != season:
                self._followed[where] = _Followed(season)

    def _is_ours(self, service: Key) -> bool:
        traffic = self._traffic(service)
        first = max(traffic, key=lambda name: (traffic[name], name), default="")
        return bool(first) and self._leads((service[0], first))

    # -- what is kept ------------------------------------------------------------------------------

    def _keep(self, service: Key, followed: _Followed, now: float) -> None:
        if followed.forecaster is None:
            work = self._load(service, followed)
        elif followed.is_new and now >= followed.saved_at + SAVE_SECONDS:
            work = self._save(service, followed, followed.forecaster.history, now)
        else:
            return
        followed.is_busy = True
        self._spawn("forecast", self._done(service, followed, work))

    async def _done(self, service: Key, followed: _Followed, work: Awaitable[None]) -> None:
        try:
            await work
        except (ApiError, Retryable, OSError) as error:
            facts = {"knative.dev/key": key_text(service), "error": str(error)}
            followed.is_new = True
            log.warning("history of a forecast neither read nor kept, trying again", extra=facts)
        finally:
            followed.is_busy = False

    async def _load(self, service: Key, followed: _Followed) -> None:
        """Begin with what was kept; with nothing where there is none, or of another season."""
        season, kept = followed.season, b""
        try:
            found = await self._client.get(CONFIGMAPS, _name(service), service[0])
            data = found.get("data") or {}
            followed.exists, is_ours = True, self._owns(service, found)
            followed.saved_at = _moment(data.get(_SAVED, "")) if is_ours else math.inf
            if data.get(_SEASON) == season.text and is_ours:
                kept = base64.b64decode((found.get("binaryData") or {}).get(_HISTORY, ""))
        except (NotFound, ValueError):
            pass
        history = History.decode(kept, season.slots)
        followed.traffic = self._traffic(service)
        followed.forecaster = Forecaster(season, history, self._clock())

    async def _save(self, service: Key, followed: _Followed, history: History, now: float) -> None:
        owner = self._lister.get(sources.SERVICES, *service)
        if owner is None:
            return
        about = {_SEASON: followed.season.text, _SAVED: rfc3339(now)}
        body = {
            "data": about,
            "binaryData": {_HISTORY: base64.b64encode(history.encode()).decode()},
        }
        name, where = _name(service), service[0]
        metadata = {"name": name, "namespace": where, "ownerReferences": [owner_reference(owner)]}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **body}
        try:
            write = Patch(CONFIGMAPS, name, where, body)
            await self._apply(Plan((write if followed.exists else Create(CONFIGMAPS, made),)))
        except NotFound:  # somebody has deleted it
            followed.exists, followed.is_new = False, True
            return
        followed.exists, followed.saved_at = True, now

    def _owns(self, service: Key, config_map: Object) -> bool:
        owner = self._lister.get(sources.SERVICES, *service)
        return owner is not None and is_controlled_by(config_map, owner)


def season_of(service: Object) -> Season | None:
    """Return how a Service is to be forecast: as its template says, or as it says itself."""
    template = (service.get("spec") or {}).get("template") or {}
    annotations = {**meta.annotations(service), **meta.annotations(template)}
    try:
        return parse_season(annotations[keys.FORECAST])
    except (KeyError, ValueError):
        return None


def _name(service: Key) -> str:
    return f"{service[1]}-forecast"


def _moment(text: str) -> float:
    try:
        return parse_rfc3339(text)
    except ValueError:
        return 0.0
