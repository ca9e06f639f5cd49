"""What every runtime does: the suite of the seam ``hearth.cluster.node.runtime.api``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hearth.cluster.node.pod.environment import Facts
from hearth.cluster.node.pod.network import PodNetwork
from hearth.cluster.node.pod.records import NEW, Record, Running, began
from hearth.cluster.node.pod.spec import PodSpec, parse_pod
from hearth.cluster.node.runtime.api import (
    STDERR,
    STDOUT,
    ContainerFiles,
    CreateError,
    ExecResult,
    Exit,
    Instance,
    Runtime,
    Size,
    StartError,
    StartRequest,
)
from hearth.cluster.node.volumes.folders import VolumeFolders
from hearth.cluster.node.volumes.sources import Snapshot
from tests.streams import Client

Harness = Any  # of conftest


@dataclass(slots=True)
class Bench:
    """One runtime with a pod prepared on demand."""

    harness: Harness
    runtime: Runtime
    folder: Path
    reports: list[tuple[str, str, str]] = field(default_factory=list)
    started: list[Instance] = field(default_factory=list)

    def pod(self, name: str, *program: str, **container: Any) -> tuple[dict[str, Any], PodSpec]:
        words = self.harness.program(*(program or ("forever",)))
        main = {"name": "main", "image": self.harness.image, "command": words, **container}
        metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        obj = {"metadata": metadata, "spec": {"containers": [main]}}
        return obj, parse_pod(obj)

    async def request(self, name: str, *program: str, **container: Any) -> StartRequest:
        obj, spec = self.pod(name, *program, **container)
        network = await self.runtime.prepare(spec, PodNetwork())
        pod_folder = self.folder / "pods" / name
        files = pod_folder / "main"
        files.mkdir(parents=True, exist_ok=True)
        (files / "termination-log").touch()
        return StartRequest(
            container=spec.containers[0],
            restarts=0,
            network=network,
            facts=Facts(obj, "node", {}, pod_ip=network.ip),
            sources=Snapshot({"settings": {"COLOR": b"red"}}),
            volumes=VolumeFolders(pod_folder, self.folder / "claims"),
            files=ContainerFiles(files, files / "0.log", files / "termination-log"),
            report=lambda *event: self.reports.append(event),
        )

    async def start(self, name: str, *program: str, **container: Any) -> Instance:
        return await self.start_request(await self.request(name, *program, **container))

    async def start_request(self, request: StartRequest) -> Instance:
        instance = await self.runtime.start(request)
        self.started.append(instance)
        return instance

    def restarted(self) -> Bench:
        """The same machine after a ``kill -9`` of the node."""
        return Bench(self.harness, self.harness.runtime(), self.folder, started=self.started)


@pytest.fixture
async def bench(harness: Harness, tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(harness, harness.runtime(), tmp_path)
    yield made
    for instance in made.started:
        if harness.is_running(instance.handle):
            instance.kill()
            await instance.wait()
        await instance.close(sweep=True)


def running_record(instance: Instance) -> Record:
    running = Running(instance.started_at, instance.handle)
    return began(NEW, running, container_id=instance.container_id, image_id=instance.image_id)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


# -- starting and ending ------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 7])
async def test_an_exit_code_is_seen_by_all_who_wait(bench: Bench, code: int) -> None:
    instance = await bench.start("ends", "exit", str(code))
    ends = tuple(await asyncio.gather(instance.wait(), instance.wait()))
    assert ends == (Exit(code), Exit(code))
    assert await instance.wait() == Exit(code)
    await instance.close(sweep=True)


async def test_an_instance_says_what_runs(bench: Bench) -> None:
    one, two = await bench.start("one"), await bench.start("two")
    scheme = bench.runtime.version.partition("://")[0]
    assert one.container_id.startswith(f"{scheme}://") and one.container_id != two.container_id
    assert "@sha256:" in one.image_id
    assert one.handle != two.handle
    assert bench.harness.is_running(one.handle)
    assert bench.reports[0][:2] == ("Normal", "Pulled")


async def test_sigterm_ends(bench: Bench) -> None:
    request = await bench.request("polite")
    instance = await bench.start_request(request)
    log = request.files.log
    await eventually(lambda: log.exists() and "forever" in log.read_text())  # it listens by now
    instance.terminate()
    assert (await instance.wait()).code == 143
    instance.terminate()  # too late, and harmless
    instance.kill()
    await instance.close(sweep=True)
    assert not bench.harness.is_running(instance.handle)


async def test_who_ignores_sigterm_is_killed(bench: Bench) -> None:
    request = await bench.request("stubborn", "deaf")
    instance = await bench.start_request(request)
    log = request.files.log
    await eventually(lambda: log.exists() and "deaf" in log.read_text())
    instance.terminate()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await instance.wait()
    instance.kill()
    how = await instance.wait()
    assert (how.code, how.is_out_of_memory) == (137, False)


async def test_a_program_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(StartError, match="no such file or directory"):
        await bench.start("absent", "missing")
    assert bench.runtime.usage() == []


async def test_an_image_that_is_not_there_comes(bench: Bench) -> None:
    with pytest.raises(CreateError) as caught:
        await bench.start("early", image="later:1")
    assert caught.value.reason == "ErrImagePull"
    changed = asyncio.Event()
    watching = asyncio.create_task(bench.runtime.run(changed.set))
    await asyncio.sleep(0)  # it has taken its first look
    bench.harness.add_image("later:1")
    async with asyncio.timeout(60):
        await changed.wait()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert bench.harness.is_running((await bench.start("early", image="later:1")).handle)


# -- what a container gets ----------------------------------------------------------------------


async def test_output_is_in_the_log_once_closed(bench: Bench) -> None:
    request = await bench.request("talks", "print", "some words")
    instance = await bench.start_request(request)
    await instance.wait()
    await instance.close(sweep=True)
    (line,) = request.files.log.read_text().splitlines()
    assert line.split(" ", 3)[1:] == ["stdout", "F", "some words"]


async def test_environment(bench: Bench) -> None:
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "COLOR"}}},
    ]
    request = await bench.request("coloured", "show", "COLOR", env=env)
    instance = await bench.start_request(request)
    await instance.wait()
    await instance.close(sweep=True)
    assert "COLOR=red" in request.files.log.read_text()


async def test_a_hole_in_the_description(bench: Bench) -> None:
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x"}}}]
    with pytest.raises(CreateError, match='secret "none" not found') as caught:
        await bench.start("holed", env=env)
    assert caught.value.reason == "CreateContainerConfigError"


async def test_commands_beside_a_container(bench: Bench) -> None:
    program = bench.harness.program
    instance = await bench.start("host", env=[{"name": "COLOR", "value": "blue"}])
    assert await instance.exec(program("exit", "3"), timeout=60) == ExecResult(3, "")
    shown = await instance.exec(program("show", "COLOR"), timeout=60)
    assert shown == ExecResult(0, "COLOR=blue\n")
    assert (await instance.exec(program("forever"), timeout=0.1)).code is None
    with pytest.raises(StartError):
        await instance.exec(program("missing"), timeout=60)
    assert bench.harness.is_running(instance.handle)


# -- commands and attachments that talk with a client -----------------------------------------


async def test_a_command_talks_with_a_client(bench: Bench) -> None:
    instance = await bench.start("host")
    client = Client().say(b"a\0b" * 100_000, b"end", b"")
    assert await instance.stream(bench.harness.program("cat"), client) == 0
    assert client.sent == {STDOUT: b"a\0b" * 100_000 + b"end"}


async def test_a_command_of_a_client_ends_with_its_code(bench: Bench) -> None:
    instance, client = await bench.start("host"), Client(has_stdin=False)
    assert await instance.stream(bench.harness.program("exit", "7"), client) == 7
    assert await instance.stream(bench.harness.program("warn", "hot"), client) == 0
    assert client.sent == {STDERR: b"hot\n"}
    with pytest.raises(StartError, match="no such file or directory"):
        await instance.stream(bench.harness.program("missing"), client)


async def test_output_that_nobody_takes_is_dropped(bench: Bench) -> None:
    instance, client = await bench.start("host"), Client(outputs=frozenset({STDERR}))
    assert await instance.stream(bench.harness.program("print", "words"), client.say(b"")) == 0
    assert client.sent == {}


RUNCS = b"\r\r\n", b"\r\n"
"""A program that is fast may say something before runc has told its terminal that another one adds
the carriage return: then both do."""


async def test_a_terminal_has_a_type_and_the_size_of_the_clients(bench: Bench) -> None:
    instance = await bench.start("host")
    client = Client(is_terminal=True, outputs=frozenset({STDOUT}))
    assert await instance.stream(bench.harness.program("show", "TERM"), client) == 0
    assert {n: text.replace(*RUNCS) for n, text in client.sent.items()} == {
        STDOUT: b"TERM=xterm\r\n"
    }
    client = Client(is_terminal=True, outputs=frozenset({STDOUT}))
    client.sizes.put_nowait(Size(columns=132, rows=43))
    assert await instance.stream(bench.harness.program("size"), client) == 0
    assert client.sent == {STDOUT: b"43 132\r\n"}


async def test_a_command_ends_with_its_client(bench: Bench) -> None:
    instance, client = await bench.start("host"), Client().say(b"hello")
    running = asyncio.create_task(instance.stream(bench.harness.program("cat"), client))
    await client.until(b"hello")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.harness.is_running(instance.handle)


async def test_an_attached_client_sees_and_feeds_a_container(bench: Bench) -> None:
    instance = await bench.start("mirror", "cat", stdin=True, stdinOnce=True)
    client = Client()
    attached = asyncio.create_task(instance.attach(client))
    await client.say(b"hello\n").until(b"hello\n")
    client.say(b"")
    assert await instance.wait() == Exit(0)
    await instance.close(sweep=True)
    async with asyncio.timeout(60):
        await attached
    assert client.sent == {STDOUT: b"hello\n"}


async def test_a_client_that_lets_go_ends_no_container(bench: Bench) -> None:
    instance, client = await bench.start("mirror", "cat", stdin=True), Client()
    attached = asyncio.create_task(instance.attach(client))
    await client.say(b"one\n").until(b"one\n")
    attached.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attached
    assert bench.harness.is_running(instance.handle)


# -- addresses ----------------------------------------------------------------------------------


async def test_no_two_pods_share_an_address_and_port(bench: Bench) -> None:
    ports = [{"containerPort": 8080}]
    addresses = set()
    for number in range(5):
        _, spec = bench.pod(f"p{number}", ports=ports)
        network = await bench.runtime.prepare(spec, PodNetwork())
        assert await bench.runtime.prepare(spec, PodNetwork()) == network
        addresses.add((network.ip, network.real_port(8080)))
    assert len(addresses) == 5


async def test_a_pod_gets_its_old_address_again(bench: Bench) -> None:
    _, spec = bench.pod("again", ports=[{"containerPort": 8080}])
    network = await bench.runtime.prepare(spec, PodNetwork())
    await bench.runtime.remove(spec.uid)
    assert await bench.runtime.prepare(spec, network) == network


async def test_a_port_is_dialled(bench: Bench) -> None:
    request = await bench.request("serving", "serve", ports=[{"containerPort": 8080}])
    instance = await bench.start_request(request)

    async def ask() -> bytes:
        connection = await bench.runtime.dial("uid-serving", 8080)
        with connection:
            loop = asyncio.get_running_loop()
            with contextlib.suppress(BrokenPipeError):  # of a server that answers unasked
                await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return await loop.sock_recv(connection, 8)

    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                assert await ask() == b"HTTP/1.1"
                break
            await asyncio.sleep(0.01)
    with pytest.raises(ConnectionRefusedError):
        await bench.runtime.dial("uid-serving", 1)
    if not bench.runtime.version.startswith("memory"):  # where there is something to be seen
        found = await asyncio.to_thread(instance.listening)
        assert found is not None
        inside = 8080 if found.is_own_network else request.network.real_port(8080)
        assert inside in {port for _, port in found.places}
    assert bench.harness.is_running(instance.handle)


# -- the node's restart -------------------------------------------------------------------------


async def test_what_runs_is_adopted(bench: Bench) -> None:
    request = await bench.request("steady", ports=[{"containerPort": 8080}])
    before = await bench.start_request(request)
    after = bench.restarted()
    instance = await after.runtime.adopt(request, running_record(before))
    assert instance is not None
    assert (instance.container_id, instance.image_id) == (before.container_id, before.image_id)
    assert instance.started_at == before.started_at
    assert await after.runtime.sweep() == 0
    assert bench.harness.is_running(before.handle)
    assert (await instance.exec(bench.harness.program("exit", "0"), timeout=60)).code == 0
    assert [usage.pod for usage in after.runtime.usage()] == ["steady"]
    _, spec = after.pod("steady", ports=[{"containerPort": 8080}])
    assert await after.runtime.prepare(spec, PodNetwork()) == request.network
    instance.terminate()
    assert (await instance.wait()).code in (143, None)  # None: not seen, as it is no child of ours
    await instance.close(sweep=True)


async def test_what_has_ended_is_not_adopted(bench: Bench) -> None:
    request = await bench.request("gone", "exit", "0")
    instance = await bench.start_request(request)
    record = running_record(instance)
    await instance.wait()
    await instance.close(sweep=True)
    assert await bench.restarted().runtime.adopt(request, record) is None


@pytest.mark.parametrize("handle", ["", "x", "1:2", "::", "-1:0:"])
async def test_a_broken_handle_adopts_nothing(bench: Bench, handle: str) -> None:
    request = await bench.request("damaged")
    record = began(NEW, Running(1.0, handle), container_id="x://1", image_id="i")
    assert await bench.runtime.adopt(request, record) is None


async def test_what_nobody_adopted_is_ended(bench: Bench) -> None:
    instance = await bench.start("orphan")
    after = bench.restarted()
    assert await after.runtime.sweep() == 1
    await eventually(lambda: not bench.harness.is_running(instance.handle))
    async with asyncio.timeout(60):
        while await after.runtime.sweep():  # what was killed may still be on its way out
            await asyncio.sleep(0.01)


async def test_removing_a_pod_ends_what_runs_of_it(bench: Bench) -> None:
    one, two = await bench.start("one"), await bench.start("two")
    await bench.runtime.remove("uid-one")
    assert (await one.wait()).code == 137
    assert bench.harness.is_running(two.handle)
    await bench.runtime.remove("uid-one")  # again, and harmless


async def test_usage_is_of_what_runs(bench: Bench) -> None:
    running = await bench.start("busy")
    ended = await bench.start("done", "exit", "0")
    await ended.wait()
    await ended.close(sweep=True)
    (usage,) = bench.runtime.usage()
    assert (usage.namespace, usage.pod, usage.container) == ("default", "busy", "main")
    assert usage.memory_bytes > 0 and usage.cpu_seconds >= 0
    running.kill()
    await running.wait()
    await running.close(sweep=True)
    assert bench.runtime.usage() == []
