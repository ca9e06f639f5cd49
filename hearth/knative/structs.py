"""YAML inside a value of a ConfigMap, as a model. Pure.

Apart from ``configmap``, since models take memory that an activator does not spend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hearth.kube.models import DecodeError, Model, decode, json_type

M = TypeVar("M", bound=Model)


def read_struct(value: Any, model: type[M], *, go_type: str) -> M:
    """Read what ``configmap.read_yaml`` gave as a model; raises ValueError in its words.

    ``go_type`` is what Knative's code calls the type: ``v1.LabelSelector``.
    """
    decoding = "error unmarshaling JSON: while decoding JSON: "
    if value is not None and not isinstance(value, Mapping):
        problem = f"cannot unmarshal {json_type(value)} into Go value of type {go_type}"
        raise ValueError(f"{decoding}json: {problem}")
    try:
        return decode(model, value, root=go_type.rpartition(".")[2])
    except DecodeError as error:
        raise ValueError(f"{decoding}{error}") from None
