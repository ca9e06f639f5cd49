"""Route: assigns traffic to revisions and programs it as a KIngress. Pure.

No traffic is assigned while any target is missing or not ready: what was programmed before stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hearth.knative.conditions import ConditionSet
from hearth.knative.resources import KINGRESSES, ROUTES
from hearth.knative.views import KIngress
from hearth.kube import meta
from hearth.kube.meta import Object, is_controlled_by, is_deleting, labels, name, uid
from hearth.kube.plan import Action, Create, Delete, Event, Plan, Update
from hearth.kube.resources import SERVICES
from serving.api import keys, views
from serving.api.annotations import READ_DURATION, stored
from serving.api.rollouts import surge_of
from serving.api.settings import Settings
from serving.kinds.drift import exact_drift, merged_drift
from serving.kinds.ingress import OptionError, ingress_class
from serving.kinds.route.certificates import Secured, mark, secure
from serving.kinds.route.children import make_ingress
from serving.kinds.route.placeholder import GATEWAY_HOST, make_placeholder
from serving.kinds.status import Draft
from serving.routing.domains import DomainError, Naming
from serving.routing.hosts import REASON, Holders, grant
from serving.routing.rollout import (
    SECOND,
    Rollout,
    observe_ready,
    parse,
    step,
    target_rollout,
)
from serving.routing.surge import SURGE_SECONDS, base_of, most_percent
from serving.routing.targets import (
    DEFAULT,
    Target,
    Traffic,
    port_names,
    resolve_targets,
    uncounted_ports,
)

CONDITIONS = ConditionSet(
    keys.READY, (keys.ALL_TRAFFIC_ASSIGNED, keys.INGRESS_READY, keys.CERTIFICATE_PROVISIONED)
)
_NOT_CONFIGURED = ("IngressNotConfigured", "Ingress has not yet been reconciled.")
_ROLLING_OUT = (
    "RolloutInProgress",
    "A gradual rollout of the latest revision(s) is in progress.",
)
_NAME_TAKEN_SECONDS = 10.0
ROLLED_BACK = "RolledBack"
"""The reason while traffic is held back from the latest revision."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the reconciler sees of one Route."""

    route: Object
    configurations: Mapping[str, Object] = field(default_factory=dict)
    revisions: Mapping[str, Object] = field(default_factory=dict)
    """What the traffic names, by name."""
    ingress: Object | None = None
    services: Mapping[str, Object] = field(default_factory=dict)
    """Kubernetes Services with the route's label or with the name of one of its hosts."""
    holders: Holders = field(default_factory=dict)
    """By host: other objects whose KIngress has a host that the route may have."""
    certificates: Mapping[str, Object] = field(default_factory=dict)
    """Certificates with the route's label or with the name of one that it asks for."""
    wildcards: Sequence[Object] = ()
    """Certificates for all names of the route's domain in its namespace."""
    podautoscalers: Mapping[str, Object] = field(default_factory=dict)
    """Of the revisions in a rollout that is bounded in pods, by name."""


def reconcile(observed: Observed, *, settings: Settings, now: float) -> Plan:
    """Assign the traffic, reserve the names, and program the KIngress."""
    route = observed.route
    if is_deleting(route):
        return Plan()
    work = _Work(observed, route, settings=settings, now=now)
    try:
        work.run()
    except (DomainError, OptionError) as error:
        work.draft.conditions.mark_false(keys.ALL_TRAFFIC_ASSIGNED, "ErrorConfig", str(error))
    return Plan((*work.actions, *work.draft.writes(ROUTES)), requeue_after=work.requeue_after)


def placeholder_names(route: Object, ports: Iterable[str], settings: Settings) -> list[str]:
    """Return the names that the route needs for itself, its tags and its further ports."""
    try:
        return [
            Naming.of(settings).hostname(route, tag)
            for tag in (DEFAULT, *views.Route(route).tags, *ports)
        ]
    except DomainError:
        return [name(route)]


def wanted_hosts(route: Object, ports: Iterable[str], settings: Settings) -> set[str]:
    """Return the hosts that the route, its tags and its further ports ask for."""
    return Naming.of(settings).hosts(route, (*views.Route(route).tags, *ports))


class _Work:
    """One reconcile under way: each step adds actions and marks the draft."""

    def __init__(
        self, observed: Observed, route: Object, *, settings: Settings, now: float
    ) -> None:
        self.observed = observed
        self.route = route
        self.settings = settings
        self.now = now
        self.draft = Draft(route, CONDITIONS, now=now)
        self.actions: list[Action] = []
        self.requeue_after: float | None = None
        self.https: frozenset[str] = frozenset()
        self.surge = surge_of(meta.annotations(route)) if keys.SERVICE in labels(route) else None

    def run(self) -> None:
        if self.draft.is_new_generation:
            # Ready must not outlive the spec it was said of.
            self.draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
        traffic, visibility = self._assign_traffic()
        if traffic.problem is not None:
            return
        self.draft.put("address", {"url": Naming.of(self.settings).local_address(self.route)})
        if not self._reserve_names(traffic):
            self.requeue_after = _NAME_TAKEN_SECONDS
            return
        self._program(traffic, visibility, self._certify(traffic, visibility))

    def _assign_traffic(self) -> tuple[Traffic, dict[str, str]]:
        route, naming = self.route, Naming.of(self.settings)
        traffic = resolve_targets(
            views.Route(route).traffic,
            service=labels(route).get(keys.SERVICE, ""),
            configurations=self.observed.configurations,
            revisions=self.observed.revisions,
        )
        local = frozenset(
            hostname
            for hostname, service in self.observed.services.items()
            if labels(service).get(keys.VISIBILITY) == keys.VISIBILITY_CLUSTER_LOCAL
            and is_controlled_by(service, route)
        )
        tags = {*views.Route(route).tags, *port_names(self.observed.revisions.values())}
        visibility = naming.visibility(route, sorted(tags), local) | {
            name: keys.CLUSTER_LOCAL for name in uncounted_ports(traffic)
        }
        is_local = visibility[DEFAULT] == keys.CLUSTER_LOCAL
        self.draft.put("url", naming.url(route, DEFAULT, local=is_local))
        problem = traffic.problem
        if problem is None:
            self.draft.put("traffic", self._listed(traffic, Rollout(), visibility))
            self._mark_assigned(traffic)
        elif problem.is_failure:
            self.draft.conditions.mark_false(
                keys.ALL_TRAFFIC_ASSIGNED, problem.reason, problem.message
            )
        else:
            self.draft.conditions.mark_unknown(
                keys.ALL_TRAFFIC_ASSIGNED, problem.reason, problem.message
            )
        return traffic, visibility

    def _mark_assigned(self, traffic: Traffic) -> None:
        held = next((each.instead_of for each in traffic.listed if each.instead_of), "")
        if held:
            why = meta.annotations(self.observed.revisions[held]).get(keys.ROLLED_BACK, "")
            self.draft.conditions.mark_false(keys.ALL_TRAFFIC_ASSIGNED, ROLLED_BACK, why)
        else:
            self.draft.conditions.mark_true(keys.ALL_TRAFFIC_ASSIGNED)

    def _listed(
        self, traffic: Traffic, rollout: Rollout, visibility: dict[str, str]
    ) -> list[dict[str, Any]]:
        """``status.traffic``: every revision with its present share."""
        entries = []
        for target in traffic.listed:
            going = rollout.find(target.tag, target.configuration) if target.latest else None
            shares = [(s.revision, s.percent) for s in going.shares] if going else []
            for revision, percent in shares or [(target.revision, target.percent)]:
                entries.append(self._entry(target, revision, percent, visibility=visibility))
        return entries

    def _entry(
        self, target: Target, revision: str, percent: int, *, visibility: dict[str, str]
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "revisionName": revision,
            "percent": percent,
            "latestRevision": target.latest,
        }
        if target.tag:
            is_local = visibility.get(target.tag) == keys.CLUSTER_LOCAL
            entry["tag"] = target.tag
            entry["url"] = Naming.of(self.settings).url(
                self.route, target.tag, local=is_local, secured=self.https
            )
        return entry

    def _reserve_names(self, traffic: Traffic) -> bool:
        """Placeholder Services for the route and its tags; whether all names are ours."""
        naming, route = Naming.of(self.settings), self.route
        balancer = KIngress(self.observed.ingress).load_balancer
        reserved = set()
        for tag in traffic.tags:
            hostname = naming.hostname(route, tag)
            host = f"{GATEWAY_HOST}.{self.settings.cluster_domain}"
            if ingress_class(route, self.settings) != keys.HEARTH_INGRESS_CLASS:
                host = naming.domain(route, tag, local=_is_local(route))
            reserved.add(hostname)
            desired = make_placeholder(route, hostname, host=host, balancer=balancer)
            existing = self.observed.services.get(hostname)
            if existing is None:
                message = f'Created placeholder service "{hostname}"'
                event = Event(route, "Normal", "Created", message)
                self.actions += [Create(SERVICES, desired), event]
            elif not is_controlled_by(existing, route):
                message = (
                    f'There is an existing placeholder Service "{hostname}" that we do not own.'
                )
                self.draft.conditions.mark_false(keys.INGRESS_READY, "NotOwned", message)
                return False
            elif balancer is not None:
                updated = merged_drift(desired, existing)
                if updated is not None:
                    self.actions.append(Update(SERVICES, updated))
        self._drop_services(reserved)
        return True

    def _drop_services(self, reserved: set[str]) -> None:
        for hostname, service in sorted(self.observed.services.items()):
            if hostname not in reserved and is_controlled_by(service, self.route):
                deletion = Delete(SERVICES, meta.namespace(service), hostname, uid=uid(service))
                self.actions.append(deletion)

    def _certify(self, traffic: Traffic, visibility: dict[str, str]) -> Secured:
        """Ask for certificates, and let URLs say what they can."""
        secured = secure(
            self.route,
            traffic.tags,
            visibility,
            self.observed.certificates,
            self.observed.wildcards,
            settings=self.settings,
        )
        self.actions += secured.actions
        mark(self.draft.conditions, secured)
        if secured.https:
            self.https = secured.https
            naming = Naming.of(self.settings)
            is_local = visibility[DEFAULT] == keys.CLUSTER_LOCAL
            url = naming.url(self.route, DEFAULT, local=is_local, secured=self.https)
            self.draft.put("url", url)
            self.draft.put("address", {"url": naming.local_address(self.route, self.https)})
            self.draft.put("traffic", self._listed(traffic, Rollout(), visibility))
        return secured

    def _program(self, traffic: Traffic, visibility: dict[str, str], secured: Secured) -> None:
        existing = self.observed.ingress
        rollout = self._rollout(traffic)
        desired = make_ingress(
            self.route,
            traffic,
            rollout=rollout,
            visibility=visibility,
            settings=self.settings,
            base=self._base(rollout),
            tls=secured.tls,
            challenges=secured.challenges,
        )
        granted = grant(desired, self.route, self.observed.holders)
        changed = self._bring_about(granted.ingress)
        if granted.conflict:
            self.draft.conditions.mark_false(keys.INGRESS_READY, REASON, granted.conflict)
            return
        if changed or existing is None or not KIngress(existing).is_observed:
            self.draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
        elif rollout.is_done:
            self._take_over_ingress(existing)
        if not rollout.is_done:
            self.draft.conditions.mark_unknown(keys.INGRESS_READY, *_ROLLING_OUT)
            self.draft.put("traffic", self._listed(traffic, rollout, visibility))

    def _rollout(self, traffic: Traffic) -> Rollout:
        goal, ingress = target_rollout(traffic), self.observed.ingress
        duration = rollout_seconds(self.route, self.settings)
        if self.surge is not None:
            duration = max(duration, 1.0)  # as fast as there are pods
        is_back = any(each.instead_of for each in traffic.listed)  # at once
        if ingress is None or duration <= 0 or is_back:
            return goal
        now = int(self.now * SECOND)
        previous = parse(meta.annotations(ingress).get(keys.ROLLOUT, ""))
        was_ready = self.draft.conditions.is_true(keys.INGRESS_READY)
        if previous is not None and KIngress(ingress).ready_status == "True" and not was_ready:
            previous = observe_ready(previous, now=now, duration_seconds=duration)
        rollout, following = step(goal, previous, now=now, most=self._most(previous))
        if following is not None:
            self.requeue_after = max(0.0, (following - now) / SECOND)
        if self.surge is not None and not rollout.is_done:
            self.requeue_after = min(self.requeue_after or SURGE_SECONDS, SURGE_SECONDS)
        return rollout

    def _most(self, previous: Rollout | None) -> int:
        """Return the share that the new revision of a rollout bounded in pods can take."""
        base = base_of(self.observed.ingress)
        if self.surge is None or base is None or previous is None:
            return 100
        (part, *_) = previous.configurations
        scaler = views.PodAutoscaler(self.observed.podautoscalers.get(part.shares[-1].revision))
        return most_percent(part, base=base, ready=scaler.actual_scale or 0)

    def _base(self, rollout: Rollout) -> int | None:
        """Return the pods that were needed when a rollout began that is bounded in pods."""
        if self.surge is None or rollout.is_done:
            return None
        known = base_of(self.observed.ingress)
        if known is not None:
            return known
        older = {share.revision for part in rollout.configurations for share in part.shares[:-1]}
        scalers = map(views.PodAutoscaler, map(self.observed.podautoscalers.get, older))
        return max(1, sum(max(0, each.desired_scale or 0) for each in scalers))

    def _bring_about(self, desired: Object) -> bool:
        existing = self.observed.ingress
        if existing is None:
            message = f'Created Ingress "{name(desired)}"'
            event = Event(self.route, "Normal", "Created", message)
            self.actions += [Create(KINGRESSES, desired), event]
            return True
        updated = exact_drift(desired, existing)
        if updated is not None:
            self.actions.append(Update(KINGRESSES, updated))
        return bool(desired["spec"] != existing.get("spec"))

    def _take_over_ingress(self, ingress: Object) -> None:
        ready = KIngress(ingress).ready
        if ready is None:
            self.draft.conditions.mark_unknown(keys.INGRESS_READY, *_NOT_CONFIGURED)
        else:
            self.draft.conditions.propagate(keys.INGRESS_READY, ready)


def _is_local(route: Object) -> bool:
    return labels(route).get(keys.VISIBILITY) == keys.VISIBILITY_CLUSTER_LOCAL


def rollout_seconds(route: Object, settings: Settings) -> float:
    """Return how long a new latest revision takes to get all traffic; 0 is at once."""
    own = stored(meta.annotations(route), keys.ROLLOUT_DURATION, READ_DURATION, default=0.0)
    return float(int(own)) or float(settings.network.rollout_duration_seconds)
