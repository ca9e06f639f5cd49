"""What watching requests costs: traces of one in a hundred, all of them, the request log.

One gateway under the load of ``warm`` goes on by one ``config-observability`` after another, in
turns; a collector takes what it exports. A pair of runs with nothing watched tells how much is
chance.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

from tests.bench import wrk
from tests.bench.peers import HOST
from tests.bench.rows import Row, row
from tests.bench.targets import ROOT, Target, end, python
from tests.bench.warm import CONNECTIONS, SECONDS
from tests.bench.wrk import Load

_Configure = Callable[[Mapping[str, str]], None]

RUNS = 7


class _Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def rows() -> list[Row]:
    """Rates and CPU times by those of the same gateway while nobody watches."""
    with (
        _collector() as url,
        python("tests.bench.warm_app") as app,
        _gateway(app.port) as (target, configure),
    ):
        traced = {"tracing-protocol": "http/protobuf", "tracing-endpoint": url}
        modes = {
            "nothing": {},
            "nothing, again": {},
            "1 % of requests traced": traced | {"tracing-sampling-rate": "0.01"},
            "all requests traced": traced | {"tracing-sampling-rate": "1"},
            "the request log": {"logging.enable-request-log": "true"},
        }
        found: dict[str, list[Load]] = {mode: [] for mode in modes}
        for _ in range(RUNS):
            for mode, config in modes.items():
                configure(config)
                found[mode].append(wrk.run(target, CONNECTIONS, SECONDS, HOST))
    before = found.pop("nothing")
    return [_row(mode, loads, before) for mode, loads in found.items()]


def _row(mode: str, loads: list[Load], before: list[Load]) -> Row:
    pairs = list(zip(loads, before, strict=True))
    cpu = sorted(load.cpu_us / without.cpu_us for load, without in pairs)
    return row(
        f"warm requests/s with {mode}, by those with nothing watched",
        [load.rate / without.rate for load, without in pairs],
        "x",
        at_least=0.95 if mode.startswith("1 %") else None,
        peers={"CPU per request": cpu[len(cpu) // 2]},
    )


@contextlib.contextmanager
def _collector() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def _gateway(app_port: int) -> Iterator[tuple[Target, _Configure]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.gateway_process", str(app_port), "1", "observing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    told, taken, lines = process.stdin, process.stderr, process.stdout

    def configure(config: Mapping[str, str]) -> None:
        print(json.dumps(config), file=told, flush=True)
        assert taken.readline() == "\n"

    try:
        port = int(lines.readline())
        drain = threading.Thread(target=lines.read)  # the request log
        drain.start()
        yield Target(port, process.pid), configure
    finally:
        end(process)
        drain.join()
        told.close()
        taken.close()
