"""Traffic of a Route or Service."""

from __future__ import annotations

from collections.abc import Sequence

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from hearth.kube.gotext import format_list, quote
from hearth.kube.names import dns1035_label_problems, qualified_name_problems
from serving.api.route import TrafficTarget


def validate_traffic(traffic: Sequence[TrafficTarget], *, in_service: bool) -> Errors:
    """``in_service``: the Configuration is given, and may not be named."""
    errors: Errors = []
    tags: dict[str, int] = {}
    for index, target in enumerate(traffic):
        errors += fe.via(_target(target, in_service=in_service), f"[{index}]")
        if not target.tag:
            continue
        if problems := dns1035_label_problems(target.tag):
            text = f"not a DNS 1035 label: {format_list(problems)}"
            errors.append(fe.invalid(text, f"tag[{index}]"))
        first = tags.setdefault(target.tag, index)
        if first != index:
            paths = (f"[{index}].tag", f"[{first}].tag")
            errors.append(FieldError(f"Multiple definitions for {quote(target.tag)}", paths))
    total = sum(target.percent or 0 for target in traffic)
    if total != 100:
        errors.append(FieldError(f"Traffic targets sum to {total}, want 100", ("",)))
    return fe.via(errors, "traffic")


def _target(target: TrafficTarget, *, in_service: bool) -> Errors:
    errors: Errors = []
    latest, pinned = target.latest_revision, bool(target.revision_name)
    if latest is not None and latest == pinned:
        message = (
            f"may not set revisionName {quote(target.revision_name)} "
            f"when latestRevision is {str(latest).lower()}"
        )
        errors.append(FieldError(message, ("latestRevision",)))
    errors += _destination(target, in_service=in_service)
    if target.percent is not None and not 0 <= target.percent <= 100:
        errors.append(fe.out_of_bounds(0, target.percent, 100, field="percent"))
    if target.url:
        errors.append(fe.disallowed("url"))
    return errors


def _destination(target: TrafficTarget, *, in_service: bool) -> Errors:
    revision, configuration = target.revision_name, target.configuration_name
    if in_service and configuration:
        return [fe.disallowed("configurationName")]
    if revision and configuration:
        return [fe.multiple_one_of("revisionName", "configurationName")]
    for field, name in (("revisionName", revision), ("configurationName", configuration)):
        if name:
            problems = qualified_name_problems(name)
            return [fe.invalid_key(name, field, *problems)] if problems else []
    return [] if in_service else [fe.missing_one_of("revisionName", "configurationName")]
