"""A gRPC service on one machine: its port is named h2c, and the rest is as for any other."""

from __future__ import annotations

import sys
from pathlib import Path

import grpc

from tests.e2e.support import Hearth, a_service, wait_until

APPLICATION = """
import concurrent.futures, os, grpc

class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)

server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Echo(),))
server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
server.start()
server.wait_for_termination()
"""


def test_calls_wake_a_service_at_zero(hearth: Hearth, tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(APPLICATION)
    hearth.run("image", "add", "test/grpc:1", "--", sys.executable, str(program))
    port = {"name": "h2c", "containerPort": 8080}
    hearth.apply(a_service("echo", image="test/grpc:1", container={"ports": [port]}))
    options = [("grpc.default_authority", "echo.default.localhost")]

    def call(*messages: bytes) -> list[bytes]:
        with grpc.insecure_channel(f"127.0.0.1:{hearth.port}", options=options) as channel:
            echo = channel.stream_stream("/test.Echo/Echo")
            return list(echo(iter(messages), timeout=30, wait_for_ready=True))

    def is_ready() -> bool:
        conditions = hearth.get_json("ksvc", "echo").get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    wait_until(is_ready, what="the Service's readiness")
    assert call(b"one", b"two") == [b"one", b"two"]

    def is_at_zero() -> bool:
        return not hearth.get_json("pods")["items"]

    wait_until(is_at_zero, seconds=60, what="the end of all pods")
    assert call(b"three") == [b"three"]
    pods = hearth.get_json("pods")["items"]
    assert len(pods) == 1
