"""Rules of the two webhook configurations. Pure; used by the catalog of kinds."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from hearth.cluster.kinds.base import Rules
from hearth.cluster.model import checks
from hearth.cluster.model.checks import each
from hearth.cluster.model.fielderrors import FieldError, duplicate, invalid, required
from hearth.cluster.model.kind import Object
from hearth.kube.names import dns1035_label_problems, dns1123_subdomain_problems

_PORT = 443
_SECONDS = 10
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_VERSIONS = ("v1", "v1beta1")


def _default_webhook(hook: Object) -> None:
    hook.setdefault("failurePolicy", "Fail")
    hook.setdefault("matchPolicy", "Equivalent")
    hook.setdefault("namespaceSelector", {})
    hook.setdefault("objectSelector", {})
    hook.setdefault("timeoutSeconds", _SECONDS)
    for rule in hook.get("rules") or ():
        rule.setdefault("scope", "*")
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", _PORT)


def _default_validating(obj: Object) -> None:
    for hook in obj.get("webhooks") or ():
        _default_webhook(hook)


def _default_mutating(obj: Object) -> None:
    for hook in obj.get("webhooks") or ():
        _default_webhook(hook)
        hook.setdefault("reinvocationPolicy", "Never")


def _errors(obj: Object) -> Iterator[FieldError]:
    names: set[str] = set()
    for i, hook in enumerate(obj.get("webhooks") or ()):
        path, name = f"webhooks[{i}]", hook.get("name", "")
        yield from _webhook_errors(hook, path)
        if name and name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)


def _webhook_errors(hook: Object, path: str) -> Iterator[FieldError]:
    yield from _name_errors(hook.get("name", ""), f"{path}.name")
    for i, rule in enumerate(hook.get("rules") or ()):
        yield from _rule_errors(rule, f"{path}.rules[{i}]")
    yield from _policy_errors(hook, path)
    for key in ("namespaceSelector", "objectSelector"):
        yield from checks.label_selector_errors(hook.get(key), f"{path}.{key}")
    yield from _client_errors(hook.get("clientConfig") or {}, f"{path}.clientConfig")
    yield from _version_errors(hook.get("admissionReviewVersions") or [], path)


def _name_errors(name: str, path: str) -> Iterator[FieldError]:
    if not name:
        yield required(path)
        return
    problems = dns1123_subdomain_problems(name)
    if problems:
        yield invalid(path, name, ",".join(problems))
    elif name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        yield invalid(path, name, detail)


def _rule_errors(rule: Object, path: str) -> Iterator[FieldError]:
    operations = rule.get("operations") or []
    if not operations:
        yield required(f"{path}.operations")
    if len(operations) > 1 and "*" in operations:
        detail = "if '*' is present, must not specify other operations"
        yield invalid(f"{path}.operations", operations, detail)
    for i, operation in enumerate(operations):
        yield from checks.one_of(operation, _OPERATIONS, f"{path}.operations[{i}]")
    for key, words in (("apiGroups", "groups"), ("apiVersions", "versions")):
        values = rule.get(key) or []
        if not values:
            yield required(f"{path}.{key}")
        if len(values) > 1 and "*" in values:
            detail = f"if '*' is present, must not specify other API {words}"
            yield invalid(f"{path}.{key}", values, detail)
        for i, value in enumerate(values):
            if key == "apiVersions" and not value:
                yield required(f"{path}.{key}[{i}]")
    yield from _resources_errors(rule.get("resources") or [], f"{path}.resources")
    scopes = ("*", "Cluster", "Namespaced")
    if (scope := rule.get("scope")) is not None:
        yield from checks.one_of(scope, scopes, f"{path}.scope")


def _resources_errors(resources: list[str], path: str) -> Iterator[FieldError]:
    if not resources:
        yield required(path)
    everything = "*/*" in resources
    for i, resource in enumerate(resources):
        if not resource:
            yield required(f"{path}[{i}]")
    if everything and len(resources) > 1:
        detail = "if '*/*' is present, must not specify other resources"
        yield invalid(path, resources, detail)


_POLICIES = (
    ("failurePolicy", ("Fail", "Ignore")),
    ("matchPolicy", ("Equivalent", "Exact")),
    ("sideEffects", ("None", "NoneOnDryRun")),
    ("reinvocationPolicy", ("IfNeeded", "Never")),
)


def _policy_errors(hook: Object, path: str) -> Iterator[FieldError]:
    for key, supported in _POLICIES[:2]:
        if (value := hook.get(key)) is not None:
            yield from checks.one_of(value, supported, f"{path}.{key}")
    effects = hook.get("sideEffects")
    supported = _POLICIES[2][1]
    if effects is None:
        yield required(f"{path}.sideEffects", f"must specify one of {', '.join(supported)}")
    else:
        yield from checks.one_of(effects, supported, f"{path}.sideEffects")
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        yield invalid(f"{path}.timeoutSeconds", seconds, detail)
    if (value := hook.get("reinvocationPolicy")) is not None:
        yield from checks.one_of(value, _POLICIES[3][1], f"{path}.reinvocationPolicy")


def _client_errors(client: Object, path: str) -> Iterator[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url_errors(url, f"{path}.url")
    elif service is not None:
        yield from _service_errors(service, f"{path}.service")


def _url_errors(url: str, path: str) -> Iterator[FieldError]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    if parts.scheme != "https":
        detail = f"'https' is the only allowed URL scheme{form}"
        yield invalid(path, parts.scheme, detail)
    if not parts.netloc:
        yield invalid(path, parts.netloc, f"host must be specified{form}")
    if parts.username is not None:
        yield invalid(path, parts.username, "user information is not permitted in the URL")
    for part, words in ((parts.fragment, "fragments"), (parts.query, "query parameters")):
        if part:
            yield invalid(path, part, f"{words} are not permitted in the URL")


def _service_errors(service: Object, path: str) -> Iterator[FieldError]:
    name, namespace = service.get("name", ""), service.get("namespace", "")
    if not name:
        yield required(f"{path}.name", "service name is required")
    if not namespace:
        yield required(f"{path}.namespace", "service namespace is required")
    port = service.get("port")
    if port is not None and checks.port_number_problems(port):
        detail = "port is not valid: must be between 1 and 65535, inclusive"
        yield invalid(f"{path}.port", port, detail)
    where = service.get("path")
    if where is not None and not where.startswith("/"):
        yield invalid(f"{path}.path", where, "must start with a '/'")


def _version_errors(versions: list[str], path: str) -> Iterator[FieldError]:
    versions_path = f"{path}.admissionReviewVersions"
    if not versions:
        yield required(versions_path, f"must specify one of {', '.join(_VERSIONS)}")
        return
    for i in checks.duplicates(versions):
        yield invalid(f"{versions_path}[{i}]", versions[i], "duplicate version")
    for i, version in enumerate(versions):
        yield from each(f"{versions_path}[{i}]", version, dns1035_label_problems(version))
    if not any(version in _VERSIONS for version in versions):
        detail = f"must include at least one of {', '.join(_VERSIONS)}"
        yield invalid(versions_path, versions, detail)


MUTATING = Rules(default=_default_mutating, validate=_errors, generation=True)
VALIDATING = Rules(default=_default_validating, validate=_errors, generation=True)
