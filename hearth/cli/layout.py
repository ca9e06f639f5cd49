"""Paths and ports of one Hearth, chosen by ``hearth up``."""

from __future__ import annotations

import os
import random
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hearth.cli.errors import UserError
from hearth.cli.runtimes import UNDECIDED, Pods
from hearth.cli.state import read_state
from hearth.listening import PortClaims

ACTIVATOR = "activator"
HEARTH_IMAGE = "hearth.dev/hearth"
"""What pods of adapters run on one machine: the program itself, with the rights of its owner."""
_CHOSEN = range(15_000, 20_000)
_TLS_PORT = 8443
_OPTIONS = {"gateway": "--port", "api": "--api-port", "gateway-tls": "--tls-port"}
_INTERNAL = (
    "internal",
    "internal-tls",
    "webhook",
    "eventing-webhook",
    "stats",
    "keda-stats",
    "broker",
    "broker-admin",
    "ui",
    "pipelines",
    "webhooks",
)
MOST_WORKERS = 64


def activators(workers: int) -> tuple[str, ...]:
    """What the activators are called as components: by number where there are several."""
    if workers == 1:
        return (ACTIVATOR,)
    return tuple(f"{ACTIVATOR}-{number}" for number in range(1, workers + 1))


def components(workers: int) -> tuple[str, ...]:
    """All components in their order of start."""
    return (
        "api",
        "cluster",
        "control",
        *activators(workers),
        "broker",
        "keda",
        "ui",
        "pipelines",
        "webhooks",
    )


def purposes(workers: int) -> tuple[str, ...]:
    """What ports are needed for, besides those that can be asked for."""
    metrics = (f"metrics-{name}" for name in components(workers))
    peers = (f"peers-{name}" for name in activators(workers)) if workers > 1 else ()
    return (*_INTERNAL, *metrics, *peers)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one Hearth keeps its state and which ports it listens on."""

    data_dir: Path
    host: str
    ports: dict[str, int]
    """By purpose: ``gateway``, ``api``, internal listeners, ``metrics-COMPONENT`` for each."""
    stats_token: str
    broker_admin_token: str
    workers: int = 1
    """How many activators share the ports of the gateway."""
    has_tls: bool = False
    """Whether an authority of this machine signs certificates."""
    pods: Pods = UNDECIDED
    """What runs pods."""
    isolation: str = ""
    """How process pods are kept apart, in words; empty: they are not."""
    nats_token: str = ""
    """What lets clients in to the NATS of this machine; empty where there is none."""
    page_secret: str = ""
    """What codes and sessions of the live page are signed with."""
    claims: PortClaims = field(default_factory=PortClaims, compare=False, repr=False)
    """Of the ports: some are listened on long after they were chosen, and again and again."""

    @property
    def port(self) -> int:
        """The gateway's port."""
        return self.ports["gateway"]

    @property
    def gateway_by_tls(self) -> str:
        """The same by TLS."""
        return f"https://localhost:{self.tls_port}"

    @property
    def authority(self) -> Path:
        """The certificate that clients have to trust."""
        return self.tls_folder / "ca.crt"

    @property
    def tls_folder(self) -> Path:
        """Where the authority that signs certificates is kept."""
        return self.data_dir / "tls"

    @property
    def tls_port(self) -> int:
        """The gateway's port for TLS."""
        return self.ports["gateway-tls"]

    @property
    def api_port(self) -> int:
        """The port of the Kubernetes API."""
        return self.ports["api"]

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig with all rights that ``hearth up`` makes."""
        return self.data_dir / "kubeconfig"

    @property
    def control_kubeconfig(self) -> Path:
        """The kubeconfig by which ``control`` is somebody of its own; the API server makes it."""
        return self.data_dir / "pki" / "control.kubeconfig"

    @property
    def gateway(self) -> str:
        """The gateway's URL for clients on this machine."""
        return f"http://localhost:{self.port}"

    @property
    def log_file(self) -> Path:
        """Where a detached Hearth writes its log."""
        return self.data_dir / "hearth.log"


def prepare_layout(
    data_dir: Path,
    *,
    host: str,
    port: int,
    api_port: int,
    tls_port: int | None = None,
    has_tls: bool = False,
    workers: int = 1,
    pods: Pods = UNDECIDED,
    isolation: str = "",
    has_nats: bool = False,
) -> Layout:
    """Makes the state folder and chooses ports; 0 asks for any free one.

    Without a ``tls_port`` it is the usual one where TLS is served from the start.

    Raises UserError where the folder cannot be made or a port that was asked for is taken.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(f"cannot make the state folder {data_dir}: {error.strerror}") from error
    if tls_port is None:
        tls_port = _TLS_PORT if has_tls else 0
    claims = PortClaims()
    ports = choose_ports(
        {"gateway": port, "api": api_port, "gateway-tls": tls_port},
        remembered=read_state(data_dir).get("ports", {}),
        is_free=lambda n: n in claims or (is_free(host, n) and claims.take(n)),
        any_free=lambda: _any_free(host),
        internal=(*purposes(workers), *(("nats",) if has_nats else ())),
    )
    return Layout(
        data_dir,
        host,
        ports,
        stats_token=secrets.token_urlsafe(24),
        broker_admin_token=secrets.token_urlsafe(24),
        page_secret=secrets.token_urlsafe(24),
        workers=workers,
        has_tls=has_tls,
        pods=pods,
        isolation=isolation,
        nats_token=secrets.token_urlsafe(24) if has_nats else "",
        claims=claims,
    )


def count_of_workers(text: str) -> int:
    """Reads ``--workers``: a number, or ``auto`` for one on each core that there is for us."""
    if text == "auto":
        return min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_WORKERS:
        return int(text)
    raise UserError(f"--workers {text}: give a number from 1 to {MOST_WORKERS}, or auto")


def choose_ports(
    asked: Mapping[str, int],
    *,
    remembered: Mapping[str, int],
    is_free: Callable[[int], bool],
    any_free: Callable[[], int],
    internal: Iterable[str] = purposes(1),
) -> dict[str, int]:
    """Gives each purpose a port: the one asked for, else that of the last time, so that URLs last.

    A remembered port that is taken makes way for a free one; for a port that was asked for and is
    taken there is a UserError that names the option.
    """
    chosen: dict[str, int] = {}
    for purpose in (*asked, *internal):
        number = asked.get(purpose, 0)
        if number and not is_free(number):
            raise UserError(
                f"port {number} is in use by another program: choose another one with "
                f"{_OPTIONS[purpose]} (0 takes any free one)"
            )
        taken = set(chosen.values())
        number = number or remembered.get(purpose, 0)
        while not number or number in taken or not is_free(number):
            number = any_free()
        chosen[purpose] = number
    return chosen


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _any_free(host: str) -> int:
    """Not one of those that the system gives to connections, nor of pods.

    While a component that died is away, a connection to its port could get the very port as its own
    and be connected with itself: the component could not listen again.
    """
    for port in random.sample(_CHOSEN, 100):
        if is_free(host, port):
            return port
    with socket.socket() as probe:  # any at all, or the system's reason why there can be none
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
