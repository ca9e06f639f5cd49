"""What users do to Services and what was made of them: steps, drawn."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from hearth.knative import resources as knative
from hearth.kube import resources as kinds
from hearth.kube.errors import BadRequest, NotFound
from hearth.kube.meta import Object, generation, metadata, name, uid
from serving.api import keys
from tests.unit.serving.playednodes import BROKEN
from tests.unit.serving.playedworld import BAD, SPACE, USER, World

STEP_SECONDS = 60.0
CHILDREN = (
    knative.CONFIGURATIONS,
    knative.REVISIONS,
    knative.ROUTES,
    knative.PODAUTOSCALERS,
    knative.KINGRESSES,
    knative.CERTIFICATES,
    knative.CLUSTERDOMAINCLAIMS,
    kinds.DEPLOYMENTS,
    kinds.SERVICES,
    kinds.SECRETS,
)


@dataclass(frozen=True)
class Step:
    """What a user does to an object; ``patiently`` once everybody has done their part."""

    verb: str
    name: str
    value: Any = None
    patiently: bool = False

    async def do(self, world: World) -> None:
        await _caught_up(world)
        if self.patiently:
            await world.quiet(5.0, STEP_SECONDS)
        with contextlib.suppress(BadRequest, NotFound):  # the same one in either world
            getattr(self, f"_{self.verb}")(world)

    def _template(self, world: World) -> None:
        image, asked = self.value
        about = {"annotations": asked}
        spec = {"template": {"metadata": about, "spec": {"containers": [{"image": image}]}}}
        known = world.api.get(knative.KSERVICES, SPACE, self.name)
        if known is None:
            obj = {"metadata": {"name": self.name, "namespace": SPACE}, "spec": spec}
            world.api.create(knative.KSERVICES, obj, USER)
        else:
            changed = {**known, "spec": {**known["spec"], **spec}}
            world.api.update(knative.KSERVICES, changed, USER)

    def _patch(self, world: World, patch: Object) -> None:
        world.api.patch(knative.KSERVICES, (SPACE, self.name), patch, USER)

    def _traffic(self, world: World) -> None:
        old = {"revisionName": f"{self.name}-00001"}
        traffic = [{**each, **(old if "tag" in each else {})} for each in self.value or ()]
        self._patch(world, {"spec": {"traffic": traffic or None}})

    def _annotate(self, world: World) -> None:
        self._patch(world, {"metadata": {"annotations": dict([self.value])}})

    def _show(self, world: World) -> None:
        self._patch(world, {"metadata": {"labels": {keys.VISIBILITY: self.value}}})

    def _delete(self, world: World) -> None:
        world.api.delete(knative.KSERVICES, (SPACE, self.name), USER)

    def _lose(self, world: World) -> None:
        resource, number = self.value
        own = [o for o in world.api.all(resource) if name(o).startswith(self.name)]
        for obj in sorted(own, key=name)[number : number + 1]:
            world.api.delete(resource, (metadata(obj).get("namespace", ""), name(obj)), USER)

    def _map(self, world: World) -> None:
        ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": self.name}
        obj = {"metadata": {"name": self.value, "namespace": SPACE}, "spec": {"ref": ref}}
        if world.api.get(knative.DOMAINMAPPINGS, SPACE, self.value) is None:
            world.api.create(knative.DOMAINMAPPINGS, obj, USER)
        else:
            world.api.delete(knative.DOMAINMAPPINGS, (SPACE, self.value), USER)

    def _load(self, world: World) -> None:
        world.load[self.name] = self.value

    def _promote(self, world: World) -> None:
        for obj in world.api.all(knative.REVISIONS):
            taken = {keys.ROLLED_BACK: None, keys.ROLLED_BACK_TO: None, keys.RETRY: "once"}
            patch = {"metadata": {"annotations": taken}}
            world.api.patch(knative.REVISIONS, (SPACE, name(obj)), patch, USER)


async def _caught_up(world: World) -> None:
    """Wait until each Service has the revision of its generation, or names would differ."""
    for _ in range(120):
        if all(_is_made(world, service) for service in world.api.all(knative.KSERVICES)):
            return
        await asyncio.sleep(0.5)


def _is_made(world: World, service: Object) -> bool:
    made = world.api.get(knative.CONFIGURATIONS, SPACE, name(service))
    if made is None or made["spec"]["template"] != service["spec"]["template"]:
        return False
    revision = world.api.get(knative.REVISIONS, SPACE, f"{name(service)}-{generation(made):05d}")
    owners = metadata(made).get("ownerReferences") or [{}]
    return revision is not None and owners[0].get("uid") == uid(service)


ASKED = st.sampled_from(
    [
        {},
        {keys.MIN_SCALE.key: "2"},
        {keys.INITIAL_SCALE.key: "3"},
        {keys.INITIAL_SCALE.key: "current", keys.MAX_SCALE.key: "3"},
        {keys.PROGRESS_DEADLINE.key: "30s"},
    ]
)
ANNOTATIONS = st.sampled_from(
    [
        (keys.ROLLOUT_DURATION.key, "20s"),
        (keys.ROLLOUT_SURGE, "1"),
        (keys.ROLLOUT_SURGE, None),
        (keys.ROLLBACK, "errors>5%"),
        ("autoscaling.hearth.dev/min-scale", "1"),
        ("autoscaling.hearth.dev/min-scale", None),
        ("autoscaling.hearth.dev/max-scale", "2"),
        ("serving.hearth.dev/waiting-page", "true"),
    ]
)
TRAFFIC = st.sampled_from(
    [
        None,
        [{"latestRevision": True, "percent": 100}],
        [{"latestRevision": True, "percent": 60}, {"tag": "old", "percent": 40}],
        [{"latestRevision": True, "percent": 100}, {"tag": "old"}],
        [{"tag": "one", "percent": 100}],
    ]
)
NAMES = st.sampled_from(["a", "b"])
DO = {
    "template": st.tuples(st.sampled_from(["app", "app2", BAD, BROKEN]), ASKED),
    "traffic": TRAFFIC,
    "annotate": ANNOTATIONS,
    "show": st.sampled_from([keys.VISIBILITY_CLUSTER_LOCAL, None]),
    "delete": st.none(),
    "lose": st.tuples(st.sampled_from(CHILDREN), st.integers(0, 2)),
    "map": st.sampled_from(["a.example.org", "b.example.org"]),
    "load": st.sampled_from([0, 1, 250]),
    "promote": st.none(),
}
STEP = st.one_of(
    [
        st.builds(
            Step, st.just(verb), NAMES, value, st.booleans() if verb != "lose" else st.just(True)
        )
        for verb, value in DO.items()
    ]
)
STEPS = st.lists(STEP, max_size=10).map(lambda steps: [Step("template", "a", ("app", {})), *steps])
