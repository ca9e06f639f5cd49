"""Brings wishes from outside to the revisions they are about. Reads caches only, writes names.

A wish for a Service is one for the revisions that its Route's traffic reaches, in its proportions:
the others, tagged ones without traffic included, get nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from hearth.knative.resources import PODAUTOSCALERS
from hearth.kube import meta
from hearth.kube.clock import Clock
from hearth.kube.controllerspec import Lister
from hearth.kube.meta import Key, Object, labels, namespace
from hearth.kube.plan import Patch
from serving.api import keys, views
from serving.api.wishes import REVISION, Wish
from serving.autoscaler.multiscaler import Multiscaler
from serving.autoscaler.wishes import Share, Shares, Wishes
from serving.kinds import sources


class Wishing:
    """All wishes heard of, of this replica's revisions and of others': who leads may change."""

    def __init__(
        self,
        lister: Lister,
        multiscaler: Multiscaler,
        *,
        clock: Clock,
        failed: Callable[[Key], None],
        foretold: Callable[[Key, Key, int], Shares],
        asked: Callable[[Object], int],
        write: Callable[[Patch], object],
    ) -> None:
        """``foretold`` is what a Service's forecast wishes for one of its revisions, by percent.

        ``asked`` is what a PodAutoscaler asks for now; ``write`` writes in the background.
        """
        self._foretold = foretold
        self._asked = asked
        self._write = write
        self._held: dict[Key, int] = {}
        """Pods that revisions had when it was seen that a source of theirs has not spoken yet."""
        self._lister = lister
        self._multiscaler = multiscaler
        self._clock = clock
        self._failed = failed
        self._wishes = Wishes()

    def take(self, wishes: Iterable[Wish]) -> None:
        """Go by what somebody says, at once. One that cannot be followed hurts itself only."""
        for wish in wishes:
            where = (wish.namespace, wish.name)
            try:
                self._wishes.take(wish)
                if wish.kind == REVISION:
                    self.tell(where)
                else:
                    self._tell_all(self.traffic(where), where[0])
            except Exception:
                self._failed(where)

    def route_changed(self, old: Object | None, new: Object | None) -> None:
        """Follow traffic to other revisions."""
        traffic = _traffic_of(old) | _traffic_of(new)
        self._tell_all(traffic, namespace(new or old or {}))

    def tell(self, revision: Key) -> None:
        """Have the autoscaler go by what is wished for a revision now."""
        podautoscaler = self._lister.get(sources.PODAUTOSCALERS, *revision)
        if podautoscaler is None or revision not in self._multiscaler.deciders:
            self._held.pop(revision, None)
            return
        service = labels(podautoscaler).get(keys.SERVICE, "")
        traffic = self.traffic((revision[0], service))
        foretold = self._foretold((revision[0], service), revision, traffic[revision[1]])
        shares = (
            *self._wishes.shares(revision, service, traffic),
            *self._expected(revision, podautoscaler),
        )
        self._multiscaler.wish(revision, (*shares, *foretold), self._clock())
        self._remember(revision, podautoscaler, {share.wish.source for share in shares})

    def _expected(self, revision: Key, podautoscaler: Object) -> Shares:
        """Return what there was, as the wishes of sources that have not spoken yet."""
        named = meta.annotations(podautoscaler).get(keys.WISHED_BY, "").split(",")
        silent = [each for each in named if each and not self._wishes.has_spoken(each)]
        if not silent:
            self._held.pop(revision, None)
            return ()
        pods = self._held.setdefault(revision, self._asked(podautoscaler))
        text = "what there was before the autoscaler started; it has not spoken since"
        return tuple(Share(Wish(REVISION, *revision, each, pods, text=text)) for each in silent)

    def _remember(self, revision: Key, podautoscaler: Object, named: set[str]) -> None:
        text = ",".join(sorted(named)) or None
        if meta.annotations(podautoscaler).get(keys.WISHED_BY) != text:
            patch = {"metadata": {"annotations": {keys.WISHED_BY: text}}}
            self._write(Patch(PODAUTOSCALERS, revision[1], revision[0], patch))

    def _tell_all(self, revisions: Iterable[str], where: str) -> None:
        for name in revisions:
            self.tell((where, name))

    def traffic(self, service: Key) -> Counter[str]:
        """Return what a Service's revisions get of its requests, in percent, as it is now."""
        return _traffic_of(self._lister.get(sources.ROUTES, *service))


def _traffic_of(route: Object | None) -> Counter[str]:
    traffic: Counter[str] = Counter()
    for target in views.Route(route).served_traffic if route is not None else ():
        traffic[target.revision] += target.percent
    return traffic
