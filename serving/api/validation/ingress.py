"""KIngress and Certificate."""

from __future__ import annotations

from hearth.knative import fielderrors as fe
from hearth.knative.fielderrors import Errors, FieldError
from serving.api import keys
from serving.api.ingress import (
    CertificateSpec,
    HTTPIngressPath,
    IngressBackendSplit,
    IngressRule,
    IngressSpec,
    IngressTLS,
)


def validate_ingress(spec: IngressSpec, namespace: str) -> Errors:
    """Check rules, splits and TLS of a KIngress."""
    if spec == IngressSpec():
        return [fe.missing("")]
    errors: Errors = [] if spec.rules else [fe.missing("rules")]
    for index, rule in enumerate(spec.rules):
        errors += fe.via_index(_rule(rule, namespace), "rules", index)
    for index, tls in enumerate(spec.tls):
        errors += fe.via_index(_tls(tls), "tls", index)
    if spec.http_option not in ("", keys.HTTP_ENABLED, keys.HTTP_REDIRECTED):
        errors.append(fe.invalid(spec.http_option, "httpOption"))
    return errors


def _rule(rule: IngressRule, namespace: str) -> Errors:
    if rule == IngressRule():
        return [fe.missing("")]
    if rule.http is None:
        return [fe.missing("http")]
    if not rule.http.paths:
        return [fe.missing("http.paths")]
    errors: Errors = []
    for index, path in enumerate(rule.http.paths):
        errors += fe.via(_path(path, namespace), "http", f"paths[{index}]")
    return errors


def _path(path: HTTPIngressPath, namespace: str) -> Errors:
    if path == HTTPIngressPath():
        return [fe.missing("")]
    splits = path.splits or []
    if not splits:
        return [fe.missing("splits" if path != HTTPIngressPath(splits=path.splits) else "")]
    for index, split in enumerate(splits):
        errors = _split(split, namespace)
        if errors:
            return fe.via_index(errors, "splits", index)
    total = sum(split.percent for split in splits)
    if total == 100 or (len(splits) == 1 and total == 0):
        return []
    message = f"traffic split percentage must total to 100, but was {total}"
    return [FieldError(message, ("splits",))]


def _split(split: IngressBackendSplit, namespace: str) -> Errors:
    if split == IngressBackendSplit():
        return [fe.missing("")]
    errors: Errors = []
    if not 0 <= split.percent <= 100:
        errors.append(fe.invalid(split.percent, "percent"))
    if not (split.service_namespace or split.service_name or split.service_port):
        return [*errors, fe.missing("")]
    if not split.service_namespace:
        errors.append(fe.missing("serviceNamespace"))
    elif split.service_namespace != namespace:
        message = "service namespace must match ingress namespace"
        errors.append(FieldError(message, ("serviceNamespace",)))
    if not split.service_name:
        errors.append(fe.missing("serviceName"))
    if split.service_port == 0:
        errors.append(fe.missing("servicePort"))
    return errors


def _tls(tls: IngressTLS) -> Errors:
    if tls == IngressTLS():
        return [fe.missing("")]
    errors: Errors = [] if tls.secret_name else [fe.missing("secretName")]
    return errors if tls.secret_namespace else [*errors, fe.missing("secretNamespace")]


def validate_certificate(spec: CertificateSpec) -> Errors:
    """Check names and Secret of a Certificate."""
    names = spec.dns_names or []
    errors: Errors = [] if names else [fe.missing("dnsNames")]
    errors += [fe.invalid("", f"dnsNames[{i}]") for i, name in enumerate(names) if not name]
    if not spec.secret_name:
        errors.append(fe.missing("secretName"))
    suffix = f".{spec.domain}"
    if spec.domain and names and not any(f".{name}".endswith(suffix) for name in names):
        rule = "domain must be a suffix of, or match exactly, at least one entry in dnsNames"
        errors.append(fe.invalid("domain", rule))
    return errors
