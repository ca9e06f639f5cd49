"""Each ConfigMap: Knative's defaults, and its words on bad values."""

from collections.abc import Callable
from typing import Any

import pytest

from hearth.knative.leaderelection import LeaderElectionConfig
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.config.defaults import DefaultsConfig, container_name
from serving.api.config.deployment import DeploymentConfig
from serving.api.config.domain import DomainConfig
from serving.api.config.features import FeaturesConfig, key_of
from serving.api.config.gateway import BacklogLimits
from serving.api.config.gc import GcConfig
from serving.api.config.logging import LoggingConfig
from serving.api.config.network import NetworkConfig
from serving.api.config.observability import ObservabilityConfig

ALL: dict[str, Callable[[Any], Any]] = {
    "autoscaler": AutoscalerConfig.from_data,
    "defaults": DefaultsConfig.from_data,
    "deployment": DeploymentConfig.from_data,
    "domain": DomainConfig.from_data,
    "features": FeaturesConfig.from_data,
    "gc": GcConfig.from_data,
    "network": NetworkConfig.from_data,
    "observability": ObservabilityConfig.from_data,
    "leader-election": LeaderElectionConfig.from_data,
    "logging": LoggingConfig.from_data,
}


@pytest.mark.parametrize("name", [n for n in ALL if n != "logging"])
def test_no_data_means_the_defaults_of_the_class(name: str) -> None:
    read = ALL[name]
    assert read({}) == read.__self__()  # type: ignore[attr-defined]


BAD = [
    ("autoscaler", {"stable-window": "1s"}, "stable-window = 1s, must be in [6s; 1h0m0s] range"),
    (
        "autoscaler",
        {"stable-window": "6500ms"},
        "stable-window = 6.5s, must be specified with at most second precision",
    ),
    (
        "autoscaler",
        {"max-scale-up-rate": "1"},
        "max-scale-up-rate = 1, must be greater than 1.0",
    ),
    (
        "autoscaler",
        {"max-scale-up-rate": "fast"},
        'failed to parse data: failed to parse "max-scale-up-rate": '
        'strconv.ParseFloat: parsing "fast": invalid syntax',
    ),
    (
        "autoscaler",
        {"initial-scale": "0"},
        "initial-scale = 0, must be at least 0 "
        "(or at least 1 when allow-zero-initial-scale is false)",
    ),
    (
        "autoscaler",
        {"min-scale": "3", "max-scale": "2"},
        "min-scale (3) must be less than max-scale (2)",
    ),
    (
        "autoscaler",
        {"max-scale-limit": "5"},
        "max-scale = 0, must be in [1, max-scale-limit(5)] range",
    ),
    (
        "autoscaler",
        {"target-burst-capacity": "-2"},
        "target-burst-capacity must be either non-negative or -1 (for unlimited), was: -2.000000",
    ),
    (
        "autoscaler",
        {"container-concurrency-target-percentage": "120"},
        "container-concurrency-target-percentage = 1.200000 is outside of valid range of (0, 100]",
    ),
    (
        "autoscaler",
        {"scale-to-zero-grace-period": "-1s"},
        "scale-to-zero-grace-period must be positive, was: -1s",
    ),
    (
        "autoscaler",
        {"panic-window-percentage": "0.5"},
        "panic-window-percentage = 0.5, must be in [1, 100] interval",
    ),
    (
        "defaults",
        {"container-concurrency": "-1"},
        "expected 0 <= -1 <= 1000: container-concurrency",
    ),
    (
        "defaults",
        {"container-name-template": "{{"},
        "template: container-template:1: unclosed action",
    ),
    (
        "defaults",
        {"revision-timeout-seconds": "900"},
        "revision-timeout-seconds (900) cannot be greater than max-revision-timeout-seconds (600)",
    ),
    (
        "defaults",
        {"revision-cpu-request": "much"},
        'failed to parse "revision-cpu-request": quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    (
        "deployment",
        {"progress-deadline": "-3s"},
        "progress-deadline cannot be a non-positive duration, was -3s",
    ),
    (
        "deployment",
        {"digest-resolution-timeout": "x"},
        'failed to parse "digest-resolution-timeout": time: invalid duration "x"',
    ),
    (
        "deployment",
        {"default-affinity-type": "cling"},
        'unsupported default-affinity-type value: "cling"',
    ),
    (
        "network",
        {"domain-template": "{{.Nope}}"},
        'template: domain-template:1:2: executing "domain-template" at <.Nope>: '
        "can't evaluate field Nope in type config.DomainTemplateValues",
    ),
    ("network", {"domain-template": "{{.Name}}/x"}, "domain template has url path: /x"),
    (
        "network",
        {"rollout-duration": "-1"},
        "rollout-duration must be a positive integer, but was -1",
    ),
    (
        "network",
        {"http-protocol": "gopher"},
        "httpProtocol gopher in config-network ConfigMap is not supported",
    ),
    (
        "network",
        {"revision-queue-requests": "0"},
        'failed to parse "revision-queue-requests": 0 is less than 1',
    ),
    (
        "network",
        {"activator-queue-requests": "many"},
        'failed to parse "activator-queue-requests": strconv.ParseInt: parsing "many": '
        "invalid syntax",
    ),
    (
        "network",
        {"activator-queue-bytes": "-1Mi"},
        'failed to parse "activator-queue-bytes": -1Mi is less than 1',
    ),
    (
        "gc",
        {"max-non-active-revisions": "3"},
        "min-non-active-revisions(20) must be <= max-non-active-revisions(3)",
    ),
    (
        "gc",
        {"retain-since-create-time": "-1h"},
        "failed to parse retain-since-create-time: must be non-negative",
    ),
    (
        "network",
        {"domain-template": "{{.Name}} {{.Domain}}"},
        'parse "https://foo baz.com": invalid character " " in host name',
    ),
    ("network", {"domain-template": ""}, "empty hostname"),
    (
        "network",
        {"namespace-wildcard-cert-selector": "{"},
        "error converting YAML to JSON: yaml: line 1: did not find expected node content",
    ),
    (
        "domain",
        {"a.b": "x"},
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string "
        "into Go value of type config.domainInternalConfig",
    ),
    (
        "domain",
        {"a.b": "selector: x"},
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string "
        "into Go struct field domainInternalConfig.selector of type map[string]string",
    ),
    (
        "deployment",
        {"runtime-class-name": "Kata_1: {}"},
        "runtime-class-name Kata_1 selector not valid DNSSubdomain: [a lowercase RFC 1123 "
        "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]",
    ),
    ("observability", {"metrics-protocol": "smoke"}, 'unsupported protocol "smoke"'),
    ("observability", {"tracing-protocol": "grpc"}, 'endpoint should be set for protocol "grpc"'),
    ("leader-election", {"buckets": "0"}, "buckets: value must be between 1 <= 0 <= 10"),
    ("logging", {"loglevel.controller": "loud"}, "invalid logging level: loud"),
]


@pytest.mark.parametrize(("name", "data", "message"), BAD)
def test_a_bad_value_is_refused_in_the_words_of_knative(
    name: str, data: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError) as error:
        ALL[name](data)
    assert str(error.value) == message


def test_concurrency_percentage_may_be_a_fraction() -> None:
    read = AutoscalerConfig.from_data
    key = "container-concurrency-target-percentage"
    assert read({key: "80"}).container_concurrency_target_fraction == 0.8
    assert read({key: "0.5"}).container_concurrency_target_fraction == 0.5


def test_response_start_timeout_follows_the_timeout() -> None:
    config = DefaultsConfig.from_data({"revision-timeout-seconds": "100"})
    assert config.revision_response_start_timeout_seconds == 100


def test_container_names_come_from_a_template() -> None:
    assert container_name("{{.Name}}-c", {"name": "hello"}) == "hello-c"


def test_domain_of_a_route_is_the_most_specific() -> None:
    config = DomainConfig.from_data(
        {
            "b.example.com": "",
            "a.example.com": "",
            "prod.example.com": "selector:\n  app: prod\n",
            "_example": "not: read",
        }
    )
    assert config.lookup({}) == "a.example.com"
    assert config.lookup({"app": "prod"}) == "prod.example.com"
    assert config.lookup({"networking.knative.dev/visibility": "cluster-local"}) == (
        "svc.cluster.local"
    )


def test_without_a_domain_for_all_routes_the_cluster_domain_is_it() -> None:
    config = DomainConfig.from_data({"x.org": "selector: {a: b}"})
    assert config.lookup({}) == "svc.cluster.local"


def test_flags_take_any_case_and_ignore_other_words() -> None:
    config = FeaturesConfig.from_data(
        {
            "kubernetes.podspec-init-containers": "enabled",
            "multi-container": "perhaps",
            "secure-pod-defaults": "allowrootbounded",
        }
    )
    assert config.podspec_init_containers == "Enabled"
    assert config.multi_container == "Enabled"
    assert config.secure_defaults


def test_flag_keys_are_those_of_knative() -> None:
    assert key_of("containerspec_addcapabilities") == "kubernetes.containerspec-addcapabilities"
    assert key_of("queueproxy_mount_podinfo") == "queueproxy.mount-podinfo"
    assert key_of("autodetect_http2") == "autodetect-http2"


def test_runtime_class_by_labels() -> None:
    config = DeploymentConfig.from_data(
        {"runtime-class-name": "kata: {}\ngvisor:\n  selector: {a: b}"}
    )
    assert config.runtime_class_name({}) == "kata"
    assert config.runtime_class_name({"a": "b"}) == "gvisor"


def test_gc_limits_can_be_switched_off() -> None:
    assert (
        GcConfig.from_data({"max-non-active-revisions": "disabled"}).max_non_active_revisions
        is None
    )


def test_names_of_routes() -> None:
    config = NetworkConfig.from_data({"domain-template": "{{.Name}}-{{.Namespace}}.{{.Domain}}"})
    found = config.domain_name(
        name="hello", namespace="default", domain="example.org", labels={}, annotations={}
    )
    assert found == "hello-default.example.org"
    assert config.tag_name("v2", "hello") == "v2-hello"


def test_older_spellings_are_overruled() -> None:
    config = NetworkConfig.from_data({"autoTLS": "Enabled", "external-domain-tls": "Disabled"})
    assert not config.external_domain_tls
    assert NetworkConfig.from_data({"auto-tls": "enabled"}).external_domain_tls


NUMBERS = [
    ("autoscaler", "container-concurrency-target-percentage"),
    ("autoscaler", "container-concurrency-target-default"),
    ("autoscaler", "requests-per-second-target-default"),
    ("autoscaler", "target-burst-capacity"),
    ("autoscaler", "panic-window-percentage"),
    ("autoscaler", "panic-threshold-percentage"),
    ("autoscaler", "max-scale-up-rate"),
    ("autoscaler", "max-scale-down-rate"),
    ("autoscaler", "activator-capacity"),
    ("observability", "tracing-sampling-rate"),
]


@pytest.mark.parametrize("text", ["NaN", "Inf", "-Inf", "1e999"])
@pytest.mark.parametrize(("name", "key"), NUMBERS)
def test_numbers_one_cannot_compute_with_are_refused(name: str, key: str, text: str) -> None:
    with pytest.raises(ValueError, match=f'"{key}": .*"{text}": value out of range'):
        ALL[name]({key: text, "tracing-protocol": "stdout"})


@pytest.mark.parametrize("text", ["9999999999h", "9" * 400 + "s", "１s", "NaNs", "1e9s"])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("autoscaler", "stable-window"),
        ("autoscaler", "scale-to-zero-grace-period"),
        ("deployment", "progress-deadline"),
        ("gc", "retain-since-create-time"),
        ("observability", "metrics-export-interval"),
        ("leader-election", "lease-duration"),
    ],
)
def test_durations_that_go_cannot_hold_are_refused(name: str, key: str, text: str) -> None:
    with pytest.raises(ValueError, match="time: "):
        ALL[name]({key: text})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("domain", {"example.com": "[" * 5000}),
        ("network", {"domain-template": "{{" + "(" * 5000}),
        ("network", {"namespace-wildcard-cert-selector": "[" * 5000}),
        ("defaults", {"container-concurrency": "9" * 5000}),
        ("defaults", {"revision-cpu-request": "1e" + "9" * 5000}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_would_exhaust_a_parser_is_refused(name: str, data: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        ALL[name](data)


def test_the_gateway_is_told_how_much_may_wait() -> None:
    data = {
        "revision-queue-requests": "5",
        "revision-queue-bytes": "1Ki",
        "activator-queue-requests": " 7 ",
        "activator-queue-bytes": "2Mi",
    }
    read = NetworkConfig.from_data(data).gateway.backlog
    assert read == BacklogLimits(
        requests=5, octets=1024, all_requests=7, all_octets=2 * 1024 * 1024
    )
    assert NetworkConfig.from_data({}).gateway.backlog == BacklogLimits()


def test_components_say_as_much_as_they_are_told_to() -> None:
    levels = {"loglevel.controller": "warn", "loglevel.activator": "Debug", "loglevel.webhook": ""}
    read = LoggingConfig.from_data({**levels, "loglevel.queueproxy": "fatal"})
    assert read == LoggingConfig(controller="WARNING", activator="DEBUG")
    assert read.by_package["serving.kinds"] == "WARNING"
    assert read.by_package["serving.webhook"] == ""
