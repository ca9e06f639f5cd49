"""Annotations of Hearth's own on Services and DomainMappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors
from serving.api import keys
from serving.api.annotationtext import TextError, parse_switch
from serving.api.asyncrequests import parse_async
from serving.api.domainpaths import parse_paths
from serving.api.extraports import parse_ports, ports_of
from serving.api.rollouts import parse_rollback, parse_surge

_LONGEST_RETRY = 63


def validate_service_annotations(annotations: Mapping[str, str]) -> Errors:
    """Check what a Service asks for beyond Knative, but for its scale."""
    return _readable(annotations, keys.ASYNC, parse_async) + _readable(
        annotations, keys.WAITING_PAGE, parse_switch
    )


def validate_template_annotations(annotations: Mapping[str, str], port: int) -> Errors:
    """Check what a template asks for; ``port`` is the one that its container has already."""
    errors = _readable(annotations, keys.PORTS, parse_ports)
    if port in {each.number for each in ports_of(annotations)}:
        errors.append(fe.invalid(port, f"[{keys.PORTS}]", "it is the container's own port"))
    for key in (keys.ASYNC, keys.WAITING_PAGE):
        if key in annotations:
            text = 'it is for the Service: put it under its "metadata.annotations"'
            errors.append(fe.invalid_key(key, f"[{key}]", text))
    return errors


def validate_domain_annotations(annotations: Mapping[str, str]) -> Errors:
    """Check what a DomainMapping asks for."""
    return _readable(annotations, keys.DOMAIN_PATHS, parse_paths) + _readable(
        annotations, keys.DOMAIN_WILDCARD, parse_switch
    )


def validate_rollout_annotations(annotations: Mapping[str, str], scaler: str) -> Errors:
    """Check what a Service asks of its rollouts; ``scaler`` is the class of its autoscaler."""
    errors = _readable(annotations, keys.ROLLOUT_SURGE, parse_surge)
    if not errors and keys.ROLLOUT_SURGE in annotations and scaler != keys.KPA_CLASS:
        text = f"pods are counted for the class {keys.KPA_CLASS} alone, and this one's is {scaler}"
        errors.append(fe.invalid_key(keys.ROLLOUT_SURGE, f"[{keys.ROLLOUT_SURGE}]", text))
    return errors + _readable(annotations, keys.ROLLBACK, parse_rollback)


def validate_revision_annotations(annotations: Mapping[str, str]) -> Errors:
    """Check what is asked of a revision that is there."""
    return _readable(annotations, keys.RETRY, _any_text)


def _any_text(text: str) -> None:
    if not 0 < len(text) <= _LONGEST_RETRY:
        raise ValueError(f"expected any text of 1 to {_LONGEST_RETRY} characters, such as the time")


def _readable(annotations: Mapping[str, str], key: str, read: Callable[[str], object]) -> Errors:
    text = annotations.get(key)
    try:
        if text is not None:
            read(text)
    except TextError as error:
        return [fe.invalid(error.value, f"[{key}]{error.path}", str(error))]
    except ValueError as error:
        return [fe.invalid(text, f"[{key}]", str(error))]
    return []
