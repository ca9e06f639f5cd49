"""All of serving, whatever users do and whatever goes wrong: one end, and nothing made twice.

Users' steps are drawn, and faults beside them: watches that lag, repeat and begin anew, writes that
are refused or whose answer is lost, control planes that die with any write, two of them at once.
What is there at the end is what is there where nothing went wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from hearth.knative import resources as knative
from hearth.knative.views import KIngress
from hearth.kube import meta
from hearth.kube import resources as kinds
from hearth.kube.conditions import Conditions
from hearth.kube.meta import Object, controller_of, generation, labels, metadata, name
from hearth.kube.resources import Resource
from serving.api import keys
from serving.api.config.domain import DomainConfig
from serving.api.config.gc import GcConfig
from serving.api.config.network import NetworkConfig
from serving.api.settings import Settings
from serving.autoscaler.scale import NO_TRAFFIC, TIMED_OUT
from tests.unit.serving.playedfaults import HEARD, LATE, NEVER, Faults
from tests.unit.serving.playedworld import SPACE, World, run, shares
from tests.unit.serving.usersteps import CHILDREN, STEP_SECONDS, STEPS, Step

SETTINGS = Settings(
    gc=GcConfig.from_data(
        {
            "min-non-active-revisions": "0",
            "max-non-active-revisions": "1",
            "retain-since-create-time": "disabled",
            "retain-since-last-active-time": "disabled",
        }
    ),
    domain=DomainConfig.from_data({"example.com": ""}),
    network=NetworkConfig.from_data({"autocreate-cluster-domain-claims": "true"}),
    signs_certificates=True,
)
SHOWN = (knative.KSERVICES, knative.DOMAINMAPPINGS, *CHILDREN)
_PASSING = re.compile(
    r"uid-\d+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[\d.]+% of \d+ requests failed \(\d+"
)
CALM_SECONDS, LONG_SECONDS = 150.0, 3 * 3600.0
"""Longer than any window; longer than a failed revision is left alone."""
MOST = hypothesis.get_current_profile_name() == "long"
SHORT: Any = {"max_examples": 5, "derandomize": True, "phases": [Phase.explicit, Phase.generate]}
LONG: Any = {"max_examples": 2_000}
SHARE = st.sampled_from([0.0, 0.05, 0.2])
FAULTS = st.builds(
    Faults,
    seed=st.integers(0, 2**16),
    late=st.sampled_from([0.0, 0.5, 5.0]),
    repeats=SHARE,
    relists=SHARE,
    refused=SHARE,
    unheard=SHARE,
    lives=st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from([HEARD, LATE, NEVER])), max_size=10
    ).map(tuple),
    planes=st.sampled_from([1, 2]),
)


class Signer:
    """An authority whose certificates say what they are for."""

    certificate = b"ca"

    def vouches_for(self, host: str) -> bool:
        return True

    def issue(self, hosts: Sequence[str], now: float) -> tuple[bytes, bytes]:
        return ",".join(sorted(hosts)).encode(), b"key"

    def good_until(
        self, chain: bytes, key: bytes, hosts: Sequence[str], now: float
    ) -> float | None:
        return 4e9 if (chain, key) == self.issue(hosts, now) else None


class Guard:
    """Looks at each write as it is stored."""

    def __init__(self, world: World) -> None:
        self.problems: list[str] = []
        self._world = world
        self._were_ready: set[str] = set()
        world.api.looks.append(self._looked)

    def _looked(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        if resource == kinds.DEPLOYMENTS and self._world.nodes.ready(name(new or {}), SPACE):
            self._were_ready.add(name(new or {}).removesuffix("-deployment"))
        elif resource == knative.REVISIONS and new is None:
            self._went(name(old or {}))
        elif resource == knative.KINGRESSES and new is not None:
            self._ingress(set(shares(old)), new)

    def _went(self, revision: str) -> None:
        serving = map(shares, self._world.api.all(knative.KINGRESSES))
        is_collected = self._world.api.writes[-1][1].startswith("plane")
        if is_collected and any(revision in each for each in serving):
            self.problems.append(f"{revision} was collected, and traffic goes there")

    def _ingress(self, before: set[str], ingress: Object) -> None:
        for rule in KIngress(ingress).spec.get("rules") or ():
            for path in rule["http"]["paths"]:
                if sum(split["percent"] for split in path["splits"]) != 100:
                    self.problems.append(f"not 100%: {path}")
        is_route = (controller_of(ingress) or {}).get("kind") == knative.ROUTES.kind
        for revision in set(shares(ingress)) - before - self._were_ready if is_route else ():
            self.problems.append(f"traffic to {revision}, whose pods were never ready")


def ended(steps: list[Step], faults: Faults) -> World:
    """Return the world when nothing more is to be done; that must come, and last."""
    guards: list[Guard] = []

    async def work(world: World) -> None:
        guards.append(Guard(world))
        for step in steps:
            await step.do(world)
        await world.quiet(5.0, STEP_SECONDS)
        world.mend()
        world.load = dict.fromkeys(world.load, 0)
        assert await world.quiet(CALM_SECONDS, LONG_SECONDS), world.api.writes[-10:]
        world.begin_anew()
        assert await world.quiet(CALM_SECONDS, CALM_SECONDS), world.api.writes[-10:]

    world = run(work, faults, SETTINGS, Signer())
    assert not guards[0].problems, guards[0].problems
    return world


def shown(world: World) -> dict[str, Any]:
    """Return what lasts of everything there is."""
    return {
        _title(resource, obj): _lasting(obj)
        for resource in SHOWN
        for obj in sorted(world.api.all(resource), key=name)
        if resource != knative.KINGRESSES or not _leads_nowhere(world, obj)
    }


def _leads_nowhere(world: World, ingress: Object) -> bool:
    """Whether it is of a mapping whose target is gone, and may have gone before it was made."""
    mapping = world.api.get(knative.DOMAINMAPPINGS, SPACE, name(ingress))
    return mapping is not None and Conditions.of(mapping).is_false(keys.REFERENCE_RESOLVED)


def _title(resource: Resource, obj: Object) -> str:
    """Names of certificates have their owner's uid."""
    whose = obj["data"]["tls.crt"] if resource == kinds.SECRETS else controller_of(obj)
    owner = whose["name"] if isinstance(whose, dict) else str(whose)
    return _PASSING.sub(owner, f"{resource.plural}.{resource.group} {name(obj)}")


def _lasting(obj: Object) -> Any:
    status = dict(obj.get("status") or {}) if obj["kind"] != "Deployment" else {}
    assert status.pop("observedGeneration", generation(obj)) == generation(obj), obj
    told = {k: v for k, v in labels(obj).items() if k != keys.DEPLOYMENT_HASH}
    conditions = {c.pop("type"): c for c in map(dict, status.pop("conditions", ()))}
    if conditions.get(keys.REFERENCE_RESOLVED, {}).get("status") == "False":
        del conditions[keys.INGRESS_READY]
    notes = {} if keys.SERVERLESS_SERVICE in labels(obj) else meta.annotations(obj)
    owners = [(each["kind"], each["name"]) for each in metadata(obj).get("ownerReferences") or ()]
    content = [obj.get("spec"), obj.get("data"), status, conditions]
    text = _PASSING.sub("-", json.dumps([told, notes, owners, content]))
    for happened, instead in zip(TIMED_OUT, NO_TRAFFIC, strict=True):
        text = text.replace(happened, instead)  # whether it was given up before it was mended
    return json.loads(text)


@pytest.mark.fuzz
@given(STEPS, FAULTS)
@hypothesis(**(LONG if MOST else SHORT))
def test_whatever_goes_wrong_the_end_is_the_same(steps: list[Step], faults: Faults) -> None:
    undisturbed, disturbed = ended(steps, Faults()), ended(steps, faults)
    assert shown(disturbed) == shown(undisturbed)


def test_a_service_whose_annotations_change_is_ready_again() -> None:
    """Its children change without a new generation, so nobody else has anything to say."""
    change = Step("annotate", "a", ("serving.hearth.dev/waiting-page", "true"), patiently=True)
    world = ended([Step("template", "a", ("app", {})), change], Faults())
    for service in world.api.all(knative.KSERVICES):
        assert Conditions.of(service).is_true(keys.READY)
