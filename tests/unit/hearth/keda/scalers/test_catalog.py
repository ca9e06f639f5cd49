"""Which types of triggers there are."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from hearth.keda.scalers import catalog
from hearth.keda.scalers.seam import ConfigError, TriggerConfig

_FOLDER = Path(catalog.__file__).parent


def test_an_unknown_type_is_refused_with_the_list_of_known_ones():
    with pytest.raises(ConfigError, match=r"type: nothing; there are: .*cron"):
        catalog.make(TriggerConfig("nothing", {}))


@pytest.mark.parametrize("name", sorted(catalog.TYPES))
def test_each_type_has_its_module_and_function(name):
    module, _, function = catalog.TYPES[name].partition(":")
    source = ast.parse((_FOLDER / f"{module}.py").read_text())
    functions = {each.name for each in source.body if isinstance(each, ast.FunctionDef)}
    assert (function or "make") in functions


def test_a_client_that_is_not_installed_is_named_with_the_extra(monkeypatch):
    for name in ("redis", "redis.asyncio"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "hearth.keda.scalers.redis", raising=False)
    monkeypatch.delitem(sys.modules, "hearth.keda.scalers.redis_connection", raising=False)
    with pytest.raises(ConfigError, match=r"package of redis.*pip install .*\[scalers\]"):
        catalog.make(TriggerConfig("redis", {"address": "a:1", "listName": "l"}))


def test_what_looks_at_kubernetes_needs_a_client():
    config = TriggerConfig("kubernetes-workload", {"podSelector": "a=b", "value": "1"})
    with pytest.raises(ConfigError, match="looks at a Kubernetes API"):
        catalog.make(config)
