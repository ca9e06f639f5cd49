"""Metrics for a collector that is not there: told once, and made good."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hearth.observability.push import MetricsPush


@dataclass
class Wanted:
    push_url: str
    export_interval: float = 0.01
    protocol: str = "http/protobuf"


def test_a_collector_that_is_away_is_told_of_once_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[int] = []
    done = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answers.append(503 if len(answers) in (0, 1, 2, 4) else 200)
            self.send_response(answers[-1])
            self.end_headers()
            if len(answers) == 7:
                done.set()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with (
        HTTPServer(("127.0.0.1", 0), Collector) as server,
        MetricsPush("test", "ns") as push,
        caplog.at_level(logging.WARNING, "hearth.observability.push"),
    ):
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        push.configure(Wanted(f"http://127.0.0.1:{server.server_port}/v1/metrics"))
        assert done.wait(10)
        push.configure(Wanted(""))
        server.shutdown()
    assert answers[:6] == [503, 503, 503, 200, 503, 200]
    told = [record for record in caplog.records if "takes no metrics" in record.message]
    assert len(told) == 2
    assert "503" in str(told[0].__dict__["error"])
