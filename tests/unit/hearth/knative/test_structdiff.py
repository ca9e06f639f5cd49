"""Changes are reported by their paths in Go's terms."""

from hearth.knative.structdiff import short_diff
from serving.api.podspec import Container, EnvVar, Probe, TCPSocketAction
from serving.api.revision import RevisionSpec, RevisionTemplateSpec


def spec(**changes: object) -> RevisionSpec:
    found = RevisionSpec(containers=[Container(image="a", env=[EnvVar(name="A", value="1")])])
    return found.model_copy(deep=True, update=changes)


def diff(old: RevisionSpec, new: RevisionSpec) -> str:
    return short_diff(old, new, "v1.RevisionSpec")


def test_nothing_changed() -> None:
    assert diff(spec(), spec()) == ""


def test_a_pointer_is_followed() -> None:
    assert diff(spec(timeout_seconds=300), spec(timeout_seconds=9)) == (
        '*{v1.RevisionSpec}.TimeoutSeconds:\n\t-: "300"\n\t+: "9"\n'
    )


def test_a_pointer_to_nothing_is_not() -> None:
    assert diff(spec(), spec(timeout_seconds=9)).startswith("{v1.RevisionSpec}.TimeoutSeconds:\n")


def test_embedded_structs_are_named() -> None:
    new = spec()
    assert new.containers is not None
    new.containers[0].image = "b"
    assert diff(spec(), new) == (
        '{v1.RevisionSpec}.PodSpec.Containers[0].Image:\n\t-: "a"\n\t+: "b"\n'
    )


def test_members_of_lists_that_come_and_go() -> None:
    new = spec()
    assert new.containers is not None
    new.containers[0].env.append(EnvVar(name="B"))
    assert "Env[?->1]:\n\t+: v1.EnvVar: " in diff(spec(), new)


def test_no_list_is_another_thing_than_a_list() -> None:
    new = spec()
    assert new.containers is not None
    new.containers[0].command = ["a", "b"]
    assert diff(spec(), new) == (
        '{v1.RevisionSpec}.PodSpec.Containers[0].Command:\n\t-: "[]"\n\t+: "[a b]"\n'
    )


def test_probes_have_their_go_names() -> None:
    old, new = spec(), spec()
    assert old.containers is not None and new.containers is not None
    old.containers[0].readiness_probe = Probe(tcp_socket=TCPSocketAction(port=1))
    new.containers[0].readiness_probe = Probe(tcp_socket=TCPSocketAction(port=2))
    assert "Containers[0].ReadinessProbe.ProbeHandler.TCPSocket.Port" in diff(old, new)


def test_maps_by_key() -> None:
    old, new = RevisionTemplateSpec(), RevisionTemplateSpec()
    old.metadata.annotations = {"a": "1", "b": "1"}
    new.metadata.annotations = {"a": "2"}
    assert short_diff(old, new, "*v1.RevisionTemplateSpec") == (
        '{*v1.RevisionTemplateSpec}.ObjectMeta.Annotations["a"]:\n\t-: "1"\n\t+: "2"\n'
        '{*v1.RevisionTemplateSpec}.ObjectMeta.Annotations["b"]:\n\t-: "1"\n'
    )
