"""TLS at the gateway: small GETs on connections that stay, and a handshake for each request.

The peer is one nginx worker that ends TLS with the same certificate and hands on to the same
application. Beside both, the gateway with TLS as uvloop wraps it instead of our own protocol. Load
comes from wrk on the same cores.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hearth.kube.certificates import issued, new_authority
from hearth.kube.clock import wall_clock
from tests.bench import wrk
from tests.bench.peers import HOST
from tests.bench.rows import Row, row
from tests.bench.targets import Target, end, gateway, python, wait_for
from tests.bench.wrk import Load
from tests.ports import free_port

RUNS, SECONDS, CONNECTIONS, FRESH_CONNECTIONS = 5, 3, 32, 16
_CHAIN, _KEY = "chain.pem", "key.pem"
_CONFIGURATION = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  upstream application {{ server 127.0.0.1:{application}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    server_name {host};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {folder}/{chain};
    ssl_certificate_key {folder}/{key};
    location / {{
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""


def rows() -> list[Row]:
    """The table's rows."""
    missing = [name for name in ("wrk", "nginx") if _program(name) is None]
    if missing:
        hint = "Debian: apt-get install wrk nginx-light"
        print(f"tls: skipped, there is no {' and no '.join(missing)} ({hint})", file=sys.stderr)
        return []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        now = datetime.datetime.fromtimestamp(wall_clock(), tz=datetime.UTC)
        pair = issued(new_authority("bench", ["example.com"], now), [HOST], now)
        (folder / _CHAIN).write_bytes(pair.chain)
        (folder / _KEY).write_bytes(pair.key)
        app = stack.enter_context(python("tests.bench.warm_app"))
        targets = {
            name: stack.enter_context(gateway(app.port, 1000, kind, str(folder)))
            for name, kind in (("hearth", "tls"), ("by uvloop's TLS", "tls-of-loop"))
        }
        targets["nginx"] = stack.enter_context(_nginx(folder, app.port))
        return _measure(targets)


def _measure(targets: dict[str, Target]) -> list[Row]:
    kept: dict[str, list[Load]] = {name: [] for name in targets}
    fresh: dict[str, list[Load]] = {name: [] for name in targets}
    for _ in range(RUNS):
        for name, target in targets.items():
            kept[name].append(wrk.run(target, CONNECTIONS, SECONDS, HOST, scheme="https"))
            field = "Connection: close"
            fresh[name].append(
                wrk.run(target, FRESH_CONNECTIONS, SECONDS, HOST, scheme="https", field=field)
            )
    found = [
        *_rows(f"TLS: small GET, {CONNECTIONS} connections", kept, at_least=1.0),
        *_rows("TLS: handshakes, each with a request", fresh, at_least=0.7),
    ]
    errors = [float(load.errors) for load in kept["hearth"]]
    return [*found, row("TLS: requests failed", errors, "", at_most=0)]


def _rows(what: str, loads: dict[str, list[Load]], *, at_least: float) -> Iterator[Row]:
    for field, unit in (("rate", "/s"), ("cpu_us", "us")):
        peers = {name: wrk.median(each, field) for name, each in loads.items() if name != "hearth"}
        label = what if field == "rate" else f"{what}: CPU of each"
        yield row(label, [getattr(load, field) for load in loads["hearth"]], unit, peers=peers)
    pairs = zip(loads["hearth"], loads["nginx"], strict=True)
    ratios = [ours.rate / theirs.rate for ours, theirs in pairs]
    yield row(f"{what}: against one nginx worker", ratios, "x", at_least=at_least)


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def _nginx(folder: Path, application: int) -> Iterator[Target]:
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, port=port, application=application, host=HOST, chain=_CHAIN, key=_KEY
        )
    )
    program = _program("nginx")
    assert program is not None
    process = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(configuration)], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield Target(port, process.pid)
    finally:
        end(process)
