"""Which cluster is tested, and what every test may ask for."""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from conformance import hub as hubs
from conformance import programs as all_programs
from conformance.addresses import MESSAGING, Address, open_address
from conformance.hub import Hub, Message, send_directly
from conformance.programs import Programs
from conformance.support import Cluster

pytest_plugins = ["conformance.reporting"]

OWN_IMAGES = "hearth.dev/conformance"
_HUB = Path(__file__).parent / "images" / "eventshub" / "server.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster")
    group.addoption("--kubeconfig", help="cluster under test; without it a Hearth is started")
    group.addoption("--gateway", help="http://HOST:PORT that takes requests for services")
    group.addoption("--hello-image", help="says Hello $TARGET!; hello of --images without it")
    group.addoption("--no-delay", action="store_true", help="the image knows no DELAY")
    group.addoption("--hub-image", help="eventshub of --images without it")
    group.addoption("--images", default=OWN_IMAGES, help="REGISTRY/FOLDER of this suite's images")
    group.addoption("--broker-url", help="test this URL as a recipient, without a cluster")
    group.addoption("--channel-url", help="test this URL as a recipient, without a cluster")
    group.addoption("--handshake", help="NAME=VALUE: annotation that asks for web hooks' handshake")
    group.addoption("--known", help="YAML: names of tests that are known to fail, and why")
    group.addoption("--report", help="Markdown file for what became of each rule")


def pytest_configure(config: pytest.Config) -> None:
    # A kubeconfig may say that the certificate is not to be looked at; that is its owner's choice.
    config.addinivalue_line("filterwarnings", "ignore:Unverified HTTPS request is being made")


@pytest.fixture(scope="session")
def access(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    given = request.config.getoption("--kubeconfig")
    if given:
        gateway = request.config.getoption("--gateway")
        if not gateway:
            raise pytest.UsageError("--kubeconfig needs --gateway as well")
        yield given, gateway
        return
    if request.config.getoption("--broker-url") or request.config.getoption("--channel-url"):
        pytest.skip("only an address was given; this test needs a cluster")
    with _a_hearth(tmp_path_factory, hub_image(request)) as state:
        yield state["kubeconfig"], f"http://127.0.0.1:{state['ports']['gateway']}"


def hub_image(request: pytest.FixtureRequest) -> str:
    """Return the image of the events' other end."""
    option = request.config.getoption
    return option("--hub-image") or f"{option('--images')}/eventshub"


@contextmanager
def _a_hearth(factory: pytest.TempPathFactory, hub: str) -> Iterator[dict[str, Any]]:
    """A Hearth of this run's own, which pytest's workers share: the last one ends it."""
    worker = "PYTEST_XDIST_WORKER" in os.environ
    folder = (factory.getbasetemp().parent if worker else factory.mktemp("own")) / "hearth"
    folder.mkdir(exist_ok=True)
    where = ["--data-dir", str(folder)]
    users = folder.with_name("hearth.users")
    with _locked(users) as file:
        if not (count := int(file.read() or 0)):
            _hearth("up", "--detach", "--port", "0", *where)
            _hearth("image", "add", *where, hub, "--", sys.executable, str(_HUB))
        _write(file, count + 1)
    try:
        yield json.loads((folder / "state.json").read_text())
    finally:
        with _locked(users) as file:
            count = int(file.read()) - 1
            _write(file, count)
            if not count:
                _hearth("down", *where)


@contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file


def _write(file: IO[str], number: int) -> None:
    file.truncate(0)
    file.write(str(number))
    file.flush()


def _hearth(*arguments: str) -> None:
    command = str(Path(sys.executable).with_name("hearth"))
    subprocess.run([command, *arguments], check=True, timeout=120)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, access: tuple[str, str]) -> Iterator[Cluster]:
    prefix = request.config.getoption("--images")
    ours = f"{prefix}/hello" if prefix != OWN_IMAGES else "hearth.dev/samples/hello"
    cluster_under_test = Cluster(*access, image=request.config.getoption("--hello-image") or ours)
    try:
        yield cluster_under_test
    finally:
        cluster_under_test.close()


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest, access: tuple[str, str], cluster: Cluster) -> Programs:
    """The suite's own images as Services, made the first time that a test asks for one."""
    given = request.config.getoption("--kubeconfig")
    prefix = request.config.getoption("--images")
    if given and prefix == OWN_IMAGES:
        pytest.skip("nobody publishes this suite's images: build them, and say --images")

    def container(program: str) -> dict[str, Any]:
        if given:
            return {"image": f"{prefix}/{program.rpartition('/')[2]}"}
        return all_programs.as_process(program, sys.executable, hub_image(request))

    if not given:
        cluster.side_port = str(free_port())  # pods of one machine share its ports
        features = {"data": {"kubernetes.podspec-init-containers": "enabled"}}
        cluster.core.patch_namespaced_config_map("config-features", "knative-serving", features)
    all_programs.settings(cluster)
    started = Programs(cluster, container)
    started.start(*all_programs.shared(started))
    started.ask_for_long()
    return started


def free_port() -> int:
    """A port that neither connections nor pods nor another worker of these tests are given."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = list(range(9_000 + worker % 8, 10_000, 8))
    random.shuffle(ports)
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def needs_delay(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--no-delay"):
        pytest.skip("the image under test knows no DELAY (--no-delay)")


@pytest.fixture
def a_service(cluster: Cluster) -> Callable[..., dict[str, Any]]:
    def make(name: str, target: str = "World", **template: Any) -> dict[str, Any]:
        env = [{"name": "TARGET", "value": target}, *template.pop("env", [])]
        container = {"image": cluster.image, "env": env, **template.pop("container", {})}
        metadata = template.pop("metadata", {})
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "template": {"metadata": metadata, "spec": {"containers": [container], **template}}
            },
        }

    return make


@pytest.fixture(scope="session")
def hub(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Hub]:
    cluster.kind("Channel", MESSAGING)
    started = hubs.start(cluster, hub_image(request))
    try:
        yield started
    finally:
        started.close()


@pytest.fixture(params=["Broker", "Channel"])
def address(request: pytest.FixtureRequest, cluster: Cluster, hub: Hub) -> Address:
    """A Broker or a Channel of the test's own."""
    return open_address(cluster, hub, request.param)


@pytest.fixture(scope="module", params=["Broker", "Channel"])
def shared(request: pytest.FixtureRequest, cluster: Cluster, hub: Hub) -> Address:
    """A Broker or a Channel for tests that look for their own events alone."""
    return open_address(cluster, hub, request.param)


@pytest.fixture
def broker(cluster: Cluster, hub: Hub) -> Address:
    return open_address(cluster, hub, "Broker")


@pytest.fixture
def channel(cluster: Cluster, hub: Hub) -> Address:
    return open_address(cluster, hub, "Channel")


@pytest.fixture(scope="session", params=["broker", "channel"])
def post(request: pytest.FixtureRequest) -> Callable[[Message], Message]:
    """Sends to a recipient: the URL that was given, or a Broker or a Channel of the cluster."""
    kind = request.param
    given = request.config.getoption(f"--{kind}-url")
    if given:
        return lambda message: send_directly(given, message)
    cluster, hub = request.getfixturevalue("cluster"), request.getfixturevalue("hub")
    return open_address(cluster, hub, kind.title()).post
