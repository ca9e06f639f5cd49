"""Every test of this folder needs a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.acluster.cluster import KUBECONFIG, REGISTRY
from tests.e2e.support import hearth_command


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "HEARTH_TEST_KUBECONFIG, HEARTH_TEST_REGISTRY not set"
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skipif(not KUBECONFIG or not REGISTRY, reason=reason))


@pytest.fixture(scope="module")
def gateway() -> str:
    """Where requests go; what others have in the cluster may be as it is."""
    said = hearth_command("status", "-o", "json", "--kubeconfig", KUBECONFIG, check=False)
    return str(json.loads(said.stdout)["gateway"])
