"""Autoscaling annotations, and the other annotations of a template."""

import pytest

from hearth.knative import fielderrors as fe
from serving.api.config.autoscaler import AutoscalerConfig
from serving.api.revision import RevisionSpec, RevisionTemplateSpec
from serving.api.settings import Context
from serving.api.validation.autoscaling import validate_annotations
from serving.api.validation.revision import validate_template

G = "autoscaling.knative.dev/"
LIMITED = AutoscalerConfig(max_scale=5, max_scale_limit=10)


def refusal(annotations: dict[str, str], config: AutoscalerConfig | None = None) -> str:
    found = {G + key: value for key, value in annotations.items()}
    return fe.text(validate_annotations(found, config or AutoscalerConfig()))


BAD = [
    ({"min-scale": "-1"}, f"expected 0 <= -1 <= 2147483647: {G}min-scale"),
    ({"minScale": "x"}, f"invalid value: x: {G}minScale"),
    ({"max-scale": "2147483648"}, f"expected 0 <= 2147483648 <= 2147483647: {G}max-scale"),
    (
        {"min-scale": "5", "max-scale": "2"},
        f"max-scale=2 is less than min-scale=5: {G}max-scale, {G}min-scale",
    ),
    ({"activation-scale": "1"}, f"activation-scale=1 must be greater than 1: {G}activation-scale"),
    (
        {"activation-scale": "4", "max-scale": "3"},
        f"max-scale=3 is less than activation-scale=4: {G}activation-scale",
    ),
    (
        {"activation-scale": "2", "min-scale": "3"},
        f"min-scale=3 is greater than activation-scale=2: {G}activation-scale",
    ),
    ({"target": "0.001"}, f"target 0.001 should be at least 0.01: {G}target"),
    ({"target": "x"}, f"invalid value: x: {G}target"),
    (
        {"target-utilization-percentage": "101"},
        f"expected 1 <= 101 <= 100: {G}target-utilization-percentage",
    ),
    (
        {"panic-threshold-percentage": "100"},
        f"expected 110 <= 100 <= 1000: {G}panic-threshold-percentage",
    ),
    ({"target-burst-capacity": "-2"}, f"invalid value: -2: {G}target-burst-capacity"),
    ({"window": "5s"}, f"expected 6s <= 5s <= 1h0m0s: {G}window"),
    ({"window": "6500ms"}, f"must be specified with at most second precision: {G}window"),
    ({"scale-down-delay": "2h"}, f"expected 0s <= 2h <= 1h0m0s: {G}scale-down-delay"),
    (
        {"scale-to-zero-pod-retention-period": "-1s"},
        f"expected 0s <= -1s <= 1h0m0s: {G}scale-to-zero-pod-retention-period",
    ),
    ({"metric": "cpu"}, f"invalid value: cpu: {G}metric"),
    ({"class": "x.knative.dev"}, f"invalid value: x.knative.dev: {G}class"),
    (
        {"class": "kpa.autoscaling.knative.dev", "metric-aggregation-algorithm": "magic"},
        f"invalid value: magic: {G}metric-aggregation-algorithm",
    ),
    ({"initial-scale": "0"}, f"invalid value: 0: {G}initial-scale=0 not allowed by cluster"),
    ({"initial-scale": "-1"}, f"invalid value: -1: {G}initial-scale must be greater than 0"),
]


@pytest.mark.parametrize(("annotations", "message"), BAD)
def test_refused(annotations: dict[str, str], message: str) -> None:
    assert refusal(annotations) == message


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"unknown": "x"},
        {"class": "mine.example.com", "metric": "anything"},
        {"class": "hpa.autoscaling.knative.dev", "metric": "queue-length"},
        {"metric-aggregation-algorithm": "magic"},
        {"max-scale": "0", "min-scale": "3"},
        {"target-burst-capacity": "-1", "window": "1h", "scale-down-delay": "1m"},
        {"scale-to-zero-pod-retention-period": "1500ms"},
    ],
)
def test_accepted(annotations: dict[str, str]) -> None:
    assert refusal(annotations) == ""


def test_a_limit_for_the_whole_cluster() -> None:
    assert refusal({"max-scale": "0"}, LIMITED) == (
        f"max-scale=0 (unlimited), must be less than 10: {G}max-scale"
    )
    assert refusal({"max-scale": "11"}, LIMITED) == f"expected 1 <= 11 <= 10: {G}max-scale"


def template(**annotations: str) -> RevisionTemplateSpec:
    found = RevisionTemplateSpec(spec=RevisionSpec(containers=[]))
    found.metadata.annotations = annotations
    return found


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "networking.knative.dev/nope",
            "x",
            'invalid key name "networking.knative.dev/nope": metadata.annotations',
        ),
        (
            "serving.knative.dev/progress-deadline",
            "1500ms",
            "progress-deadline=1500ms is not at second precision: "
            "metadata.annotations.serving.knative.dev/progress-deadline",
        ),
        (
            "queue.sidecar.serving.knative.dev/cpu-resource-limit",
            "abc",
            "invalid value: abc: "
            "metadata.annotations.[queue.sidecar.serving.knative.dev/cpu-resource-limit]",
        ),
        (
            "queue.sidecar.serving.knative.dev/resource-percentage",
            "0.05",
            "expected 0.1 <= 0.05 <= 100: "
            "metadata.annotations.[queue.sidecar.serving.knative.dev/resource-percentage]",
        ),
        (
            "serving.hearth.dev/session-affinity",
            "ip",
            "invalid value: ip: metadata.annotations.[serving.hearth.dev/session-affinity]\n"
            "expected cookie, cookie:NAME or header:NAME",
        ),
    ],
)
def test_other_annotations_of_a_template(key: str, value: str, message: str) -> None:
    errors = validate_template(template(**{key: value}), Context())
    assert message in fe.text(errors)
