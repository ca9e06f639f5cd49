import pytest

from hearth.observability.traces.config import GRPC, HTTP, STDOUT, TracingConfig


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/"),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/x", "https://collector/otlp/x"),
        ("collector:4318", "https://collector:4318/v1/traces"),
    ],
)
def test_endpoints_are_read_as_opentelemetry_for_go_reads_them(endpoint, url):
    assert TracingConfig(HTTP, endpoint).url == url


def test_a_path_is_for_http():
    assert TracingConfig(GRPC, "http://collector:4317").url == "http://collector:4317"


def test_the_rate_that_counts():
    assert TracingConfig(sampling_rate=0.5).rate == 0.0
    assert TracingConfig(HTTP, "http://c", 0.5).rate == 0.5
    assert TracingConfig(STDOUT).rate == 1.0
