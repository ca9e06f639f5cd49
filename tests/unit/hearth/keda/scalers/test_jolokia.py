"""Templates of addresses of queues, and Jolokia's answers."""

from __future__ import annotations

import pytest

from hearth.keda.scalers.jolokia import address_of, length_of, parts_of
from hearth.keda.scalers.seam import ConfigError, ScalerError

ARTEMIS = (
    "https://h:8443/console/jolokia/read/org.apache.activemq.artemis:"
    'broker="b",component=addresses,address="a",queue="q"/MessageCount'
)


def test_the_parts_of_an_address():
    host, said = parts_of(ARTEMIS, "wrong")
    assert (host, said["broker"], said["address"], said["queue"]) == ("h:8443", "b", "a", "q")


@pytest.mark.parametrize("text", ["", "nowhere", "http://h/path", "http://[h/a:b=c/d"])
def test_what_is_no_address(text):
    with pytest.raises(ConfigError, match=r"^wrong: parse"):
        parts_of(text, "wrong")


def test_names_are_put_in_where_they_are_known():
    made = address_of("{{.A}}/{{ .B }}/<<c>>/{{.D}}", {"A": "1", "B": "2", "c": "3"})
    assert made == "1/2/3/{{.D}}"


def test_the_length():
    assert length_of({"status": 200, "value": 7}, "artemis") == 7


@pytest.mark.parametrize("found", [{"status": 404, "error": "x"}, {}])
def test_a_failure_inside_an_answer(found):
    with pytest.raises(ScalerError, match="artemis management endpoint response error code"):
        length_of(found, "artemis")
