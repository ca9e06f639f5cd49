"""The settings of components: the one place that knows what they are called outside.

``hearth run`` takes them from the environment, ``hearth up`` from its layout; both start the same
components with them (``hearth.cli.components``). Defaults are those of a pod in a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hearth.cli.interceptor import Interceptor, read_interceptor
from hearth.kube.clusterdomain import CLUSTER_DOMAIN, domain_of_resolver

PREFIX = "HEARTH_"


class InvalidSetting(Exception):
    """A setting that means nothing; the text names it."""


@dataclass(frozen=True, slots=True)
class Replica:
    """Who a component is among several of its kind in a cluster."""

    pod_name: str
    pod_ip: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field but the first four is ``HEARTH_`` and its name in the environment."""

    kubeconfig: Path
    replica: Replica | None = None
    """None where each component is there once and on this machine."""
    authority: Path | None = None
    """The folder of the authority of this machine, where it signs certificates."""
    interceptor: Interceptor = field(default_factory=Interceptor)
    """What the variables of KEDA's HTTP add-on say."""
    log_level: str = "INFO"
    log_format: str = "json"
    """``json`` or ``text``."""
    host: str = "0.0.0.0"
    """The address that the gateway and the broker listen on, and what is asked for metrics."""
    control_host: str = "0.0.0.0"
    """The address that webhooks and the autoscaler's statistics listen on."""
    metrics_port: int = 9090
    health_port: int = 9091
    gateway_port: int = 8080
    internal_port: int = 8081
    gateway_tls_port: int = 8443
    """Where the gateway listens for TLS, once a certificate is asked for."""
    internal_tls_port: int = 8444
    """The same for names of the cluster."""
    peers_port: int = 8082
    webhook_port: int = 8443
    eventing_webhook_port: int = 8444
    stats_port: int = 8088
    keda_stats_port: int = 8089
    """Where activators report on routes of KEDA's HTTP add-on."""
    external_scaler_port: int = 9190
    """Where a real KEDA asks about them."""
    keda_metrics_port: int = 6443
    """Where HorizontalPodAutoscalers' questions about triggers are answered."""
    keda_timeout_seconds: float = 3.0
    """How long a server that a trigger asks may take to answer."""
    broker_port: int = 8080
    broker_tls_port: int = 8443
    """Where the broker takes events encrypted, where that is asked for; 0 takes a free one."""
    broker_admin_port: int = 9092
    """Where questions about events are answered (``hearth event trace``)."""
    pipelines_port: int = 8080
    """Where events that start pipelines are taken, and what their scripts ask for."""
    pipelines_url: str = ""
    """How that is reached; empty: by the name of its Service in the cluster."""
    sink_port: int = 8080
    """Where the adapter of an IntegrationSink takes events."""
    webhooks_port: int = 8080
    """Where the receiver of WebhookSources listens."""
    external_port: int = 80
    """The gateway's port as URLs show it."""
    external_tls_port: int = 443
    """The same of URLs that begin with https."""
    stats_token: str = ""
    """What lets activators in to the autoscaler; empty: the one that the Secret holds."""
    broker_admin_token: str = ""
    """What those show who ask; empty: what the Secret holds."""
    broker_url: str = ""
    """What addresses of Brokers begin with; empty: that of their Service in the cluster."""
    nats_url: str = ""
    """Where NATS is; empty: where the ConfigMap ``config-nats-broker`` says."""
    nats_token: str = ""
    """What lets us in there."""
    image: str = "hearth"
    """Hearth's own image, which control makes pods of adapters with."""
    sink_binding_selection_mode: str = "exclusion"
    """Which workloads SinkBindings may change as they are written: those not labelled
    ``bindings.knative.dev/exclude``, or (``inclusion``) those labelled ``.../include``."""
    service_bindings: str = "false"
    """Whether control keeps ServiceBindings: ``true`` with the overlay ``servicebinding``."""
    serverless_services: str = "false"
    """Whether control writes ServerlessServices and Metrics for clients that read them: ``true``
    with the overlay ``serverlessservices``."""
    cluster_domain: str = CLUSTER_DOMAIN
    """What names of the cluster's Services end in; in a pod what its resolver searches."""
    data_dir: Path = Path("/var/lib/hearth")
    """Where the broker's log is, and what the receiver of WebhookSources remembers."""
    pre_stop_seconds: int = 3
    """How long users' pods go on before they are told to end."""
    drain_delay_seconds: float = 5.0
    """How long a component that ends is still listening, though it is not ready any more."""
    drain_seconds: float = 600.0
    """How long the activator waits for requests in flight."""


_NOT_SET = ("kubeconfig", "replica", "authority", "interceptor")
NAMES = {PREFIX + each.name.upper(): each for each in fields(Settings) if each.name not in _NOT_SET}
"""The settings by their names in the environment."""
_FILE = "_FILE"
"""Behind a name: the value is what the file of that name holds."""


def from_environment(
    environment: Mapping[str, str], kubeconfig: Path, resolv_conf: str = ""
) -> Settings:
    """Return the settings of a pod; raise InvalidSetting, which says what to mend."""
    given: dict[str, Any] = _of_interceptor(environment)
    if domain := domain_of_resolver(resolv_conf):
        given["cluster_domain"] = domain
    for name, each in NAMES.items():
        text = _text(environment, name)
        if text is not None:
            given[each.name] = _value(name, type(each.default), text)
    for port, real in _real_ports(environment, given).items():
        given[port] = real
    replica = Replica(environment.get("POD_NAME", ""), environment.get("POD_IP", ""))
    for value, name, path in (
        (replica.pod_name, "POD_NAME", "metadata.name"),
        (replica.pod_ip, "POD_IP", "status.podIP"),
    ):
        if not value:
            raise InvalidSetting(f"{name} is not set: give it the pod's {path} by the downward API")
    return Settings(kubeconfig, replica, **given)


def _of_interceptor(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the add-on's variables say, of settings that have other names here as well."""
    try:
        said = read_interceptor(environment)
    except ValueError as error:
        raise InvalidSetting(str(error)) from error
    named = {
        "gateway_port": said.proxy_port,
        "drain_delay_seconds": said.shutdown_delay,
        "drain_seconds": said.drain_timeout,
    }
    return {"interceptor": said} | {k: value for k, value in named.items() if value is not None}


def _real_ports(environment: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, int]:
    """Where pods share an address, the real ports: a node tells them by the declared ones."""
    found = {}
    for each in NAMES.values():
        if each.name.endswith("_port"):
            real = environment.get(f"{PREFIX}PORT_{given.get(each.name, each.default)}", "")
            if real.isdecimal():
                found[each.name] = int(real)
    return found


def _text(environment: Mapping[str, str], name: str) -> str | None:
    if name in environment:
        return environment[name]
    path = environment.get(name + _FILE)
    if path is None:
        return None
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise InvalidSetting(f"{name}{_FILE}: {path}: {error.strerror}") from error


def _value(name: str, kind: type, text: str) -> Any:
    try:
        value = kind(text)
    except ValueError as error:
        raise InvalidSetting(f"{name}: {text!r} is no number") from error
    if kind in (int, float) and not 0 <= value <= 86_400:
        raise InvalidSetting(f"{name}: {text} is out of range")
    allowed = _CHOICES.get(name)
    if allowed is not None and value not in allowed:
        raise InvalidSetting(f"{name}: {text!r} is none of {', '.join(allowed)}")
    return value


_CHOICES = {
    f"{PREFIX}LOG_FORMAT": ("json", "text"),
    f"{PREFIX}SINK_BINDING_SELECTION_MODE": ("exclusion", "inclusion"),
    f"{PREFIX}SERVICE_BINDINGS": ("true", "false"),
    f"{PREFIX}SERVERLESS_SERVICES": ("true", "false"),
    f"{PREFIX}LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR"),
}
