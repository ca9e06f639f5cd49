"""How a container reaches the cluster: its environment and the files that programs look in. Pure.

A resolver of our own is the usual way; the variables of proxies are, where the machine lets us put
none beside a container (``service.Names.attach``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hearth.kube import meta
from hearth.kube.clusterdomain import CLUSTER_DOMAIN
from hearth.kube.meta import Object

Address = tuple[str, int]
API_PORT = 443
"""Of ``kubernetes.default``."""

_MOST_SERVERS, _MOST_SEARCHES, _MOST_HOSTNAME = 3, 32, 63  # kubelet's limits
_API_NAMES = (
    "kubernetes.default.svc",
    "kubernetes.default",
    "kubernetes.default.svc.cluster.local",
)
_LOCAL_HOSTS = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
fe00::\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


@dataclass(frozen=True, slots=True)
class Way:
    """The way of one bridge's containers.

    ``api`` is where they find the API server, ``resolver`` who answers for names, ``gateway`` this
    machine; without a resolver, what they are sent to as to a ``proxy`` is there, too. ``inside``
    are URLs of this machine's loopback address, and those that mean the same in a container.
    """

    api: Address | None = None
    resolver: str = ""
    gateway: str = ""
    proxy: str = ""
    domain: str = CLUSTER_DOMAIN
    machine_searches: tuple[str, ...] = ()
    inside: Mapping[str, str] = field(default_factory=dict)

    def environment(self, namespace: str) -> dict[str, str]:
        """What every container of a namespace starts from."""
        if self.api is None:
            return {}
        host, port = (self.api[0] if self.resolver else _API_NAMES[0]), str(self.api[1])
        env = {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "KUBERNETES_SERVICE_PORT_HTTPS": port,
        }
        if self.proxy:
            env |= proxy_environment(told_proxy(self.proxy, namespace), host)
        return env

    def resolv_conf(self, pod: Object) -> str | None:
        """The text of ``/etc/resolv.conf`` by the pod's policy; None: as the engine makes it."""
        spec = pod["spec"]
        policy, config = spec.get("dnsPolicy") or "ClusterFirst", spec.get("dnsConfig") or {}
        servers: list[str] = []
        searches: list[str] = []
        options: dict[str, str | None] = {}
        if policy != "None":
            if not self.resolver:
                return None
            servers, searches = [self.resolver], list(self.machine_searches)
            if policy != "Default":
                within = (f"{meta.namespace(pod)}.svc.{self.domain}", f"svc.{self.domain}")
                searches = [*within, self.domain, *searches]
                options["ndots"] = "5"
        servers += config.get("nameservers") or ()
        searches += config.get("searches") or ()
        options |= {o["name"]: o.get("value") for o in config.get("options") or ()}
        return _resolv_conf(servers, searches, options)

    def hosts(self, pod: Object, ip: str) -> str:
        """The text of ``/etc/hosts``, as kubelet writes it."""
        lines = [f"{ip}\t{' '.join(self._own_names(pod))}"]
        if self.gateway and not self.resolver:
            lines.append(f"{self.gateway}\t{' '.join(_API_NAMES)}")
        aliases = pod["spec"].get("hostAliases") or ()
        if aliases:
            lines += ["", "# Entries added by HostAliases."]
            lines += [f"{a['ip']}\t{' '.join(a.get('hostnames') or ())}" for a in aliases]
        return _LOCAL_HOSTS + "".join(f"{line}\n" for line in lines)

    def _own_names(self, pod: Object) -> list[str]:
        name, subdomain = hostname(pod), pod["spec"].get("subdomain")
        if not subdomain:
            return [name]
        return [f"{name}.{subdomain}.{meta.namespace(pod)}.svc.{self.domain}", name]


def hostname(pod: Object) -> str:
    """What a pod takes itself for: its ``hostname``, else as much of its name as fits."""
    name: str = pod["spec"].get("hostname") or meta.name(pod)
    return name[:_MOST_HOSTNAME].rstrip("-.")


PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY")


def proxy_environment(proxy: str, api_host: str) -> dict[str, str]:
    """The variables by which HTTP clients come to the in-cluster listener."""
    direct = f"localhost,127.0.0.1,::1,.localhost,{api_host}"
    return {**dict.fromkeys(PROXIES, proxy), "no_proxy": direct, "NO_PROXY": direct}


def told_proxy(proxy: str, namespace: str) -> str:
    """A proxy's URL that tells it the namespace, as the user that asks.

    Names without one are looked up there, as by the search list of a cluster's resolver. A
    password is there for those who send no user without one; nobody looks at it.
    """
    return proxy.replace("://", f"://{namespace}:pod@", 1)


def read_resolv_conf(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The servers and the searched domains of a machine, as resolv.conf(5) has them."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    for words in (line.split() for line in text.splitlines()):
        if words[:1] == ["nameserver"] and len(words) > 1:
            servers.append(words[1])
        elif words[:1] in (["search"], ["domain"]):
            searches = tuple(name for name in words[1:] if name != ".")  # the last one counts
    return tuple(servers[:_MOST_SERVERS]), searches[:_MOST_SEARCHES]


def _resolv_conf(servers: list[str], searches: list[str], options: Mapping[str, Any]) -> str:
    lines = [f"nameserver {server}" for server in dict.fromkeys(servers)][:_MOST_SERVERS]
    searched = list(dict.fromkeys(searches))[:_MOST_SEARCHES]
    if searched:
        lines.append(f"search {' '.join(searched)}")
    if options:
        words = (name if value is None else f"{name}:{value}" for name, value in options.items())
        lines.append(f"options {' '.join(words)}")
    return "".join(f"{line}\n" for line in lines)
