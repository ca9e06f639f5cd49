"""Settings from the environment: values, files, and what is said of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hearth.cli.settings import NAMES, InvalidSetting, Replica, Settings, from_environment

POD = {"POD_NAME": "control-0", "POD_IP": "10.0.0.1"}
KUBECONFIG = Path("/kubeconfig")


def test_a_pod_needs_to_be_told_who_it_is_alone() -> None:
    found = from_environment(POD, KUBECONFIG)
    assert found == Settings(KUBECONFIG, Replica("control-0", "10.0.0.1"))


def test_values_have_the_type_of_the_setting() -> None:
    given = {
        "HEARTH_STATS_PORT": "1",
        "HEARTH_DRAIN_SECONDS": "2.5",
        "HEARTH_DATA_DIR": "/data",
        "HEARTH_HOST": "::",
    }
    found = from_environment(POD | given, KUBECONFIG)
    assert (found.stats_port, found.drain_seconds) == (1, 2.5)
    assert (found.data_dir, found.host) == (Path("/data"), "::")


def test_where_pods_share_an_address_the_node_says_which_port_is_meant() -> None:
    given = {"HEARTH_PORT_9090": "40001", "HEARTH_PORT_1": "40002", "HEARTH_STATS_PORT": "1"}
    found = from_environment(POD | given | {"HEARTH_PORT_9091": "x"}, KUBECONFIG)
    assert (found.metrics_port, found.stats_port, found.health_port) == (40001, 40002, 9091)


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    given = {"HEARTH_STATS_TOKEN_FILE": str(tmp_path / "token")}
    assert from_environment(POD | given, KUBECONFIG).stats_token == "secret"


def test_the_cluster_s_domain_is_what_is_said_or_what_the_resolver_searches() -> None:
    resolver = "search default.svc.k8s.corp svc.k8s.corp k8s.corp"
    assert from_environment(POD, KUBECONFIG).cluster_domain == "cluster.local"
    assert from_environment(POD, KUBECONFIG, resolver).cluster_domain == "k8s.corp"
    said = POD | {"HEARTH_CLUSTER_DOMAIN": "said"}
    assert from_environment(said, KUBECONFIG, resolver).cluster_domain == "said"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"HEARTH_STATS_PORT": "many"}, "HEARTH_STATS_PORT: 'many' is no number"),
        ({"HEARTH_STATS_PORT": "-1"}, "HEARTH_STATS_PORT: -1 is out of range"),
        ({"HEARTH_DRAIN_SECONDS": "nan"}, "HEARTH_DRAIN_SECONDS: nan is out of range"),
        ({"HEARTH_LOG_FORMAT": "xml"}, "HEARTH_LOG_FORMAT: 'xml' is none of json, text"),
        ({"HEARTH_STATS_TOKEN_FILE": "/nowhere/t"}, "/nowhere/t: No such file or directory"),
        ({"POD_IP": ""}, "POD_IP is not set: give it the pod's status.podIP"),
    ],
)
def test_a_bad_value_is_named(given: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        from_environment(POD | given, KUBECONFIG)
    assert text in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented(name: str) -> None:
    operations = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
    row = next(row for row in operations.splitlines() if row.startswith(f"| `{name}` |"))
    default = NAMES[name].default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert not shown or f"| `{shown}` |" in row
