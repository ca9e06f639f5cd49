"""Trust bundles and their copies: what is combined, made, changed and taken away."""

import datetime

from eventing.api.trust import COMBINED, LABEL, combined, is_bundle, system_bundles
from eventing.kinds.trust import propagated
from hearth.kube.certificates import renewed
from hearth.kube.meta import Object
from hearth.kube.plan import Create, Delete, Update

NOW = datetime.datetime.now(datetime.UTC)


def authority():
    files = renewed({}, ["localhost"], NOW)
    assert files is not None
    [pem] = [each.decode() for name, each in files.items() if name == "ca-cert.pem"]
    return pem


ONE, TWO = authority(), authority()


def bundle(name, where="knative-eventing", owners=(), **data) -> Object:
    metadata = {"name": name, "namespace": where, "labels": {LABEL: "true"}}
    if owners:
        metadata["ownerReferences"] = list(owners)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


BINDING: Object = {
    "apiVersion": "sources.knative.dev/v1",
    "kind": "SinkBinding",
    "metadata": {"name": "b", "namespace": "ns", "uid": "u"},
}


def test_certificates_that_can_be_read_are_combined_in_order():
    given = [bundle("z", ca=ONE), bundle("a", b=f"# ours\n{TWO}\n", a="no certificate")]
    assert combined(given) == TWO + ONE
    broken = ONE.replace("A", "!", 30)
    assert combined([bundle("a", ca=broken), bundle("b", ca=TWO)]) == TWO
    assert combined([]) == ""


def test_only_bundles_of_the_system_are_trusted_by_all():
    other = bundle("x", where="ns", ca=ONE)
    unmarked = bundle("y", ca=ONE)
    unmarked["metadata"]["labels"] = {}
    assert system_bundles([bundle("a", ca=ONE), other, unmarked]) == [bundle("a", ca=ONE)]
    assert not is_bundle(unmarked)


def test_a_namespace_gets_each_bundle_and_all_in_one():
    actions, names = propagated(BINDING, [bundle("ours", ca=ONE)], [bundle("own", "ns", ca=TWO)])
    made = {each.obj["metadata"]["name"]: each.obj for each in actions if isinstance(each, Create)}
    assert len(made) == len(actions) == 2
    assert made["ourskne-bundle"]["data"] == {"ca": ONE}
    [whole] = [each for each in made.values() if f"{COMBINED}.pem" in each["data"]]
    assert whole["data"][f"{COMBINED}.pem"] == ONE
    for each in made.values():
        assert each["metadata"]["namespace"] == "ns"
        assert each["metadata"]["labels"] == {LABEL: "true"}
        [owner] = each["metadata"]["ownerReferences"]
        assert owner["uid"] == "u" and not owner.get("controller")
    assert names == tuple(sorted([*made, "own"]))
    # What is as it should be is left alone.
    again, same = propagated(BINDING, [bundle("ours", ca=ONE)], [*made.values()])
    assert again == () and set(same) == set(made)


def test_a_copy_follows_its_bundle_and_belongs_to_all_who_need_it():
    actions, _ = propagated(BINDING, [bundle("ours", ca=ONE)], [])
    there = [each.obj for each in actions if isinstance(each, Create)]
    other = {**BINDING, "metadata": {**BINDING["metadata"], "name": "c", "uid": "v"}}
    changes, _ = propagated(other, [bundle("ours", ca=TWO)], there)
    assert len(changes) == 2
    for each in changes:
        assert isinstance(each, Update)
        assert TWO in each.obj["data"].values()
        assert [owner["uid"] for owner in each.obj["metadata"]["ownerReferences"]] == ["u", "v"]


def test_a_copy_whose_bundle_is_gone_goes_and_others_bundles_stay():
    actions, _ = propagated(BINDING, [bundle("ours", ca=ONE)], [])
    there = [each.obj for each in actions if isinstance(each, Create)]
    changes, names = propagated(BINDING, [], [*there, bundle("own", "ns", ca=TWO)])
    assert all(isinstance(each, Delete) for each in changes) and len(changes) == 2
    assert names == ("own",)
