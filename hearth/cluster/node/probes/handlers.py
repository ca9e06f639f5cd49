"""Asks what probes and hooks ask: HTTP, TCP, a command, gRPC health. The I/O below ``probes``.

Messages are kubelet's, since people search for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from dataclasses import dataclass

from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.spec import Container, Handler
from hearth.cluster.node.probes.grpchealth import HealthReader, make_request
from hearth.cluster.node.runtime.api import Instance, StartError
from hearth.timeouts import time_limit

log = logging.getLogger(__name__)

_USER_AGENT = "kube-probe/1.36"
_MAX_STATUS_LINE = 8192


@dataclass(frozen=True, slots=True)
class Target:
    """The running container a handler is about."""

    container: Container
    network: PodNetwork
    instance: Instance


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler came to; the message is for an event."""

    is_success: bool
    message: str = ""


async def run_handler(handler: Handler, target: Target, *, timeout: float) -> Outcome:
    """Does what the handler says within ``timeout`` seconds; whatever goes wrong is an outcome."""
    try:
        return await _run(handler, target, timeout)
    except (OSError, ValueError) as error:  # no file descriptors left, a port that is none
        return Outcome(False, str(error))
    except Exception as error:  # a probe that ended here would leave its pod as it is for good
        log.exception("handler failed", extra={"container": target.container.name})
        return Outcome(False, f"{type(error).__name__}: {error}")


async def _run(handler: Handler, target: Target, timeout: float) -> Outcome:
    match handler.kind:
        case "exec":
            return await _run_exec(handler, target, timeout)
        case "sleep":
            await asyncio.sleep(min(handler.seconds, timeout))
            return Outcome(True)
    port = target.network.find_port(target.container, handler.port)
    if port is None:
        return Outcome(False, f"couldn't find port: {handler.port} for pod")
    host = handler.host or target.network.ip
    match handler.kind:
        case "httpGet":
            return await _get(handler, host, port, timeout=timeout)
        case "tcpSocket":
            return await _connect(host, port, timeout)
        case "grpc":
            return await _grpc(handler, host, port, timeout=timeout)
    return Outcome(False, f"unsupported handler {handler.kind}")


# -- exec -----------------------------------------------------------------------------------------


async def _run_exec(handler: Handler, target: Target, timeout: float) -> Outcome:
    try:
        result = await target.instance.exec(handler.command, timeout=timeout)
    except StartError as error:
        return Outcome(False, str(error))
    if result.code is None:
        command = " ".join(handler.command)
        return Outcome(False, f'command "{command}" timed out after {timeout:g}s')
    message = result.output.rstrip("\n") if result.output else f"exit status {result.code}"
    return Outcome(result.code == 0, message)


# -- TCP ------------------------------------------------------------------------------------------


async def _connect(host: str, port: int, timeout: float) -> Outcome:
    """Without a transport, which would cost more than all else: this is asked every 20 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as dialed:
            dialed.setblocking(False)
            async with time_limit(timeout):
                await asyncio.get_running_loop().sock_connect(dialed, (host, port))
    except (OSError, TimeoutError) as error:
        return Outcome(False, dial_error(host, port, error))
    return Outcome(True)


def dial_error(host: str, port: int, error: Exception) -> str:
    """A failed connection in the words of Go."""
    where = f"dial tcp {host}:{port}: "
    if isinstance(error, ConnectionRefusedError):
        return where + "connect: connection refused"
    if isinstance(error, TimeoutError):
        return where + "i/o timeout"
    return where + (str(error) or type(error).__name__)


# -- HTTP -----------------------------------------------------------------------------------------


async def _get(handler: Handler, host: str, port: int, *, timeout: float) -> Outcome:
    """One GET; the status line decides: 200 to 399 is success, as for kubelet."""
    path = handler.path if handler.path.startswith("/") else f"/{handler.path}"
    url = f"{handler.scheme.lower()}://{host}:{port}{path}"
    try:
        async with time_limit(timeout):
            line = await _status_line(handler, host, port, path=path)
    except TimeoutError:
        late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{url}": {late}')
    except OSError as error:
        return Outcome(False, f'Get "{url}": {dial_error(host, port, error)}')
    parts = line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/") or not parts[1].strip().isdigit():
        text = "EOF" if not line else f'malformed HTTP response "{line[:80].decode("latin-1")}"'
        return Outcome(False, f'Get "{url}": {text}')
    code = int(parts[1])
    if 200 <= code < 400:
        return Outcome(True)
    return Outcome(False, f"HTTP probe failed with statuscode: {code}")


async def _status_line(handler: Handler, host: str, port: int, *, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(
        host, port, ssl=_unverified() if handler.scheme == "HTTPS" else None
    )
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": _USER_AGENT, "Accept": "*/*"}
        for name, value in handler.headers:
            headers = {k: v for k, v in headers.items() if k.lower() != name.lower()}
            headers[name] = value
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        request = f"GET {path} HTTP/1.1\r\n{''.join(lines)}Connection: close\r\n\r\n"
        writer.write(request.encode("utf-8", "surrogateescape"))
        return await reader.readuntil(b"\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return b"?" * _MAX_STATUS_LINE
    finally:
        writer.transport.abort()


def _unverified() -> ssl.SSLContext:
    """Probes do not check certificates: they ask whether the server works, not who it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


# -- gRPC -----------------------------------------------------------------------------------------


async def _grpc(handler: Handler, host: str, port: int, *, timeout: float) -> Outcome:
    address = f"{host}:{port}"
    health = HealthReader()
    try:
        async with time_limit(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            with contextlib.closing(writer.transport):
                writer.write(make_request(address, handler.service))
                while health.outcome is None:
                    data = await reader.read(65536)
                    if not data:
                        break
                    writer.write(health.feed(data))
    except TimeoutError:
        return Outcome(
            False, f'timeout: health rpc to "{address}" did not complete within {timeout:g}s'
        )
    except OSError as error:
        text = f'timeout: failed to connect service "{address}" within {timeout:g}s'
        return Outcome(False, f"{text}: {dial_error(host, port, error)}")
    if health.outcome is None:
        return Outcome(False, f'the server "{address}" closed the connection without an answer')
    is_serving, message = health.outcome
    return Outcome(is_serving, "" if is_serving else message)
