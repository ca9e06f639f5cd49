"""What a revision's pod may be, in the words of Knative."""

from typing import Any

import pytest

from hearth.knative import fielderrors as fe
from hearth.kube.models import decode
from serving.api.config.features import FeaturesConfig
from serving.api.podspec import PodSpec
from serving.api.validation.podspec import validate_pod_spec

IMAGE = {"image": "ko.local/hello"}
SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def found(pod: dict[str, Any], features: dict[str, str] | None = None) -> fe.Errors:
    model = decode(PodSpec, pod, root="PodSpec")
    return validate_pod_spec(model, FeaturesConfig.from_data(features or {}))


def refusal(pod: dict[str, Any], features: dict[str, str] | None = None) -> str:
    return fe.text(error for error in found(pod, features) if not error.warning)


def one(**container: Any) -> dict[str, Any]:
    return {"containers": [{**IMAGE, **container}]}


def volume(**source: Any) -> dict[str, Any]:
    mount = {"name": "v", "mountPath": "/v", "readOnly": True}
    return {**one(volumeMounts=[mount]), "volumes": [{"name": "v", **source}]}


AT = "containers[0]"

CONTAINERS = [
    (one(image="", name="a"), f"missing field(s): {AT}.image"),
    (
        one(image="foo:bar:baz"),
        f"Failed to parse image reference: {AT}.image\n"
        'image: "foo:bar:baz", error: could not parse reference: foo:bar:baz',
    ),
    (one(name="queue-proxy"), f'"queue-proxy" is a reserved container name: {AT}.name'),
    (one(env=[{"name": ""}]), f"missing field(s): {AT}.env[0].name"),
    (
        one(env=[{"name": "PORT"}, {"name": "K_REVISION"}]),
        f'"K_REVISION" is a reserved environment variable: {AT}.env[1].name\n'
        f'"PORT" is a reserved environment variable: {AT}.env[0].name',
    ),
    (
        one(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]),
        f"must not set the field(s): {AT}.env[0].valueFrom.fieldRef",
    ),
    (
        one(envFrom=[{}]),
        f"expected exactly one, got neither: {AT}.envFrom.configMapRef, {AT}.envFrom.secretRef",
    ),
    (
        one(ports=[{"containerPort": 8012}]),
        f"invalid value: 8012 is a reserved port: {AT}.ports.containerPort\n"
        "8012 is a reserved port, please use a different value",
    ),
    (
        one(ports=[{"containerPort": 70000}]),
        f"expected 0 <= 70000 <= 65535: {AT}.ports.containerPort",
    ),
    (one(ports=[{"protocol": "UDP"}]), f"invalid value: UDP: {AT}.ports.protocol"),
    (
        one(ports=[{"name": "web"}]),
        f"Port name web is not allowed: {AT}.ports\nName must be empty, or one of: 'h2c', 'http1'",
    ),
    (
        one(ports=[{"containerPort": 1}, {"containerPort": 2}]),
        "more than one container port is set: containers[*].ports\n"
        "Only a single port is allowed across all containers",
    ),
    (
        one(securityContext={"privileged": True, "runAsUser": -1}),
        f"expected 0 <= -1 <= 2147483647: {AT}.securityContext.runAsUser\n"
        f"must not set the field(s): {AT}.securityContext.privileged",
    ),
    (
        one(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
        f"must not set the field(s): {AT}.securityContext.capabilities.add",
    ),
    (one(terminationMessagePolicy="Never"), f"invalid value: Never: {AT}.terminationMessagePolicy"),
    ({}, "missing field(s): containers"),
    (
        {"containers": [{**IMAGE, "name": "a"}, {**IMAGE, "name": "b"}]},
        "missing field(s): containers[*].ports",
    ),
    (
        {
            "containers": [
                {**IMAGE, "name": "a", "ports": [{"containerPort": 1}]},
                {**IMAGE, "name": "b", "readinessProbe": {"httpGet": {}, "periodSeconds": 1}},
            ]
        },
        "must not set the field(s): containers[1].readinessProbe, "
        "containers[1].readinessProbe.periodSeconds",
    ),
    (
        {**one(), "serviceAccountName": "A"},
        "invalid value: A: serviceAccountName\n"
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
        "'-' or '.', and must start and end with an alphanumeric character (e.g. "
        "'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?"
        "(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ),
]


@pytest.mark.parametrize(("pod", "message"), CONTAINERS)
def test_containers(pod: dict[str, Any], message: str) -> None:
    assert refusal(pod) == message


PROBES = [
    ("livenessProbe", {"exec": {}}, ""),
    (
        "livenessProbe",
        {"exec": {}, "tcpSocket": {}},
        f"expected exactly one, got both: {AT}.livenessProbe.exec, {AT}.livenessProbe.tcpSocket",
    ),
    (
        "startupProbe",
        {},
        "expected exactly one, got neither: "
        + ", ".join(f"{AT}.startupProbe.{h}" for h in ("exec", "grpc", "httpGet", "tcpSocket")),
    ),
    (
        "livenessProbe",
        {"httpGet": {"port": "web"}},
        f"invalid value: web: {AT}.livenessProbe.httpGet.port\n"
        "Probe port must match container port",
    ),
    ("livenessProbe", {"httpGet": {"port": "http"}}, ""),
    (
        "readinessProbe",
        {"exec": {}, "successThreshold": 1, "timeoutSeconds": 1},
        "timeoutSeconds is disallowed when periodSeconds is zero: "
        f"{AT}.readinessProbe.timeoutSeconds",
    ),
    (
        "readinessProbe",
        {"exec": {}, "successThreshold": 1, "periodSeconds": 1},
        "expected 1 <= 0 <= 2147483647: "
        f"{AT}.readinessProbe.failureThreshold, {AT}.readinessProbe.timeoutSeconds",
    ),
]


@pytest.mark.parametrize(("kind", "probe", "message"), PROBES)
def test_probes(kind: str, probe: dict[str, Any], message: str) -> None:
    assert refusal(one(**{kind: probe})) == message


VOLUMES = [
    (volume(secret={"secretName": "s"}), ""),
    (volume(emptyDir={"medium": "Disk"}), "invalid value: Disk: volumes[0].emptyDir.medium"),
    (volume(emptyDir={"sizeLimit": "-1"}), "invalid value: -1: volumes[0].emptyDir.sizeLimit"),
    (
        volume(emptyDir={}, secret={}),
        "expected exactly one, got both: volumes[0].emptyDir, volumes[0].secret",
    ),
    (
        volume(),
        "expected exactly one, got neither: volumes[0].configMap, volumes[0].emptyDir, "
        "volumes[0].projected, volumes[0].secret",
    ),
    (
        volume(hostPath={"path": "/"}),
        "HostPath volume support is disabled, but found HostPath volume v: \n"
        "must not set the field(s): volumes[0].hostPath",
    ),
    (
        volume(configMap={"name": "c", "items": [{"key": "", "path": ""}]}),
        "missing field(s): volumes[0].items[0].key, volumes[0].items[0].path",
    ),
    (
        volume(projected={"sources": [{"secret": {}}, {}]}),
        "expected exactly one, got neither: "
        + ", ".join(
            f"volumes[0].projected[1].{s}"
            for s in ("configMap", "downwardAPI", "secret", "serviceAccountToken")
        )
        + "\nmissing field(s): volumes[0].projected[0].secret.name",
    ),
    (
        {**one(), "volumes": [{"name": "v", "emptyDir": {}}]},
        'volume with name "v" not mounted: volumes[0].name',
    ),
]


@pytest.mark.parametrize(("pod", "message"), VOLUMES)
def test_volumes(pod: dict[str, Any], message: str) -> None:
    assert refusal(pod) == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "missing field(s): {}.mountPath"),
        ("/dev/", 'mountPath "/dev" is a reserved path: {}.mountPath'),
        ("//", 'mountPath "/" is a reserved path: {}.mountPath'),
        ("here", "invalid value: here: {}.mountPath"),
        ("/ok/../dev/log", 'mountPath "/dev/log" is a reserved path: {}.mountPath'),
    ],
)
def test_mount_paths(path: str, message: str) -> None:
    pod = volume(emptyDir={})
    pod["containers"][0]["volumeMounts"][0]["mountPath"] = path
    assert refusal(pod) == message.format(f"{AT}.volumeMounts[0]")


def test_mounts_of_secrets_are_read_only() -> None:
    pod = volume(secret={"secretName": "s"})
    pod["containers"][0]["volumeMounts"][0]["readOnly"] = False
    assert refusal(pod) == (
        f"volume mount should be readOnly for this type of volume: {AT}.volumeMounts[0].readOnly"
    )


GATED = [
    ("affinity", {"nodeAffinity": {}}),
    ("dnsConfig", {"nameservers": ["1.1.1.1"]}),
    ("dnsPolicy", "Default"),
    ("hostAliases", [{"ip": "1.1.1.1"}]),
    ("hostIPC", True),
    ("hostNetwork", True),
    ("hostPID", True),
    ("nodeSelector", {"a": "b"}),
    ("priorityClassName", "high"),
    ("runtimeClassName", "kata"),
    ("schedulerName", "mine"),
    ("shareProcessNamespace", False),
    ("tolerations", [{"key": "a"}]),
    ("topologySpreadConstraints", [{"maxSkew": 1}]),
]


@pytest.mark.parametrize(("field", "value"), GATED)
def test_fields_behind_flags(field: str, value: object) -> None:
    pod = {**one(), field: value}
    assert refusal(pod) == f"must not set the field(s): {field}"
    assert refusal(pod, {f"kubernetes.podspec-{field.lower()}": "enabled"}) == ""
    assert refusal(pod, {f"kubernetes.podspec-{field.lower()}": "allowed"}) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [(True, "must not set the field(s): automountServiceAccountToken"), (False, "")],
)
def test_tokens_may_only_be_switched_off(value: bool, message: str) -> None:
    assert refusal({**one(), "automountServiceAccountToken": value}) == message


def test_pod_security_needs_its_flag() -> None:
    pod = {**one(), "securityContext": {"runAsUser": 1, "fsGroup": -1}}
    assert refusal(pod) == (
        "expected 0 <= -1 <= 2147483647: securityContext.fsGroup\n"
        "must not set the field(s): securityContext, securityContext.fsGroup, "
        "securityContext.runAsUser"
    )
    flag = {"kubernetes.podspec-securitycontext": "enabled"}
    assert refusal({**one(), "securityContext": {"runAsUser": 1}}, flag) == ""


def test_init_containers_need_their_flag() -> None:
    pod = {**one(name="a"), "initContainers": [{**IMAGE, "name": "a", "lifecycle": {}}]}
    assert "init-containers is off, but found 1" in refusal(pod)
    assert refusal(pod, {"kubernetes.podspec-init-containers": "enabled"}) == (
        'duplicate container name "a": containers[0].name\n'
        "field not allowed in an init container: containers[0].lifecycle\n"
        "must not set the field(s): containers[0].lifecycle"
    )


def test_several_containers_need_their_flag() -> None:
    pod = {"containers": [{**IMAGE, "ports": [{"containerPort": 1}]}, IMAGE]}
    assert refusal(pod, {"multi-container": "disabled"}) == (
        "multi-container is off, but found 2 containers: "
    )


def test_insecure_defaults_are_warned_of() -> None:
    assert [e.warning for e in found(one())] == [True] * 4
    assert found(one(securityContext=SAFE)) == []
    assert found(one(), {"secure-pod-defaults": "enabled"}) == []


def test_all_in_small_letters_does_nothing() -> None:
    context = SAFE | {"capabilities": {"drop": ["all"]}}
    assert fe.text(found(one(securityContext=context))) == (
        f"invalid value: all: {AT}.securityContext.capabilities.drop\nMust be spelled as 'ALL'"
    )
