"""Kubeconfigs of every kind, each against a real server: tokens, certificates, plugins, proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import json
import ssl
import stat
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hearth.cli.run import kubeconfig_of
from hearth.cli.settings import InvalidSetting
from hearth.cluster.apiserver.testing import RunningServer, running_apiserver
from hearth.kube.access import Access, TokenFile, load_chain
from hearth.kube.certificates import AUTHORITIES, AUTHORITY_KEY, CERTIFICATE, KEY, renewed
from hearth.kube.client import KubeClient
from hearth.kube.errors import Unauthorized, Unavailable
from hearth.kube.kubeconfig import access_of
from hearth.kube.plugins import access_by_plugins
from hearth.kube.resources import NAMESPACES

NOW = datetime.datetime.now(tz=datetime.UTC)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_apiserver(tmp_path / "api") as running:
        yield running


def kubeconfig(
    folder: Path, user: dict[str, Any], cluster: dict[str, Any], *, name: str = "config"
) -> Path:
    """A kubeconfig with one context."""
    path = folder / name
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": user}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def of(server: RunningServer) -> dict[str, Any]:
    return {"server": server.url, "certificate-authority": str(server.ca_cert)}


async def can_read(path: Path) -> None:
    async with KubeClient.from_kubeconfig(path) as client:
        await client.get(NAMESPACES, "default")


# -- tokens ----------------------------------------------------------------------------------------


async def test_a_file_beside_the_kubeconfig(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(server.ca_cert.read_bytes())
    cluster = {"server": server.url, "certificate-authority": "ca.crt"}
    await can_read(kubeconfig(tmp_path, {"token": server.token}, cluster))


async def test_a_token_that_is_renewed_is_read_again(server: RunningServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("expired\n")
    async with KubeClient.from_kubeconfig(
        kubeconfig(tmp_path, {"tokenFile": str(token)}, of(server))
    ) as client:
        with pytest.raises(Unauthorized):
            await client.get(NAMESPACES, "default")
        token.write_text(server.token + "\n")
        await client.get(NAMESPACES, "default")
        items, version = await client.list(NAMESPACES)
        assert items
        token.write_text("of somebody else")  # the old one is good for a minute
        await client.get(NAMESPACES, "default")
        async with asyncio.timeout(60):
            async for _ in client.watch(NAMESPACES, resource_version=version, timeout_seconds=1):
                pass


async def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    now = 1000.0
    (tmp_path / "token").write_text("first")
    token = TokenFile(tmp_path / "token", clock=lambda: now)
    assert await token.header() == "Bearer first"
    (tmp_path / "token").write_text("second")
    now += 59
    assert await token.header() == "Bearer first"
    now += 1
    assert await token.header() == "Bearer second"


async def test_a_pod_uses_its_service_account(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(server.ca_cert.read_bytes())
    (tmp_path / "token").write_text(server.token)
    host, port = server.url.removeprefix("https://").rsplit(":", 1)
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    found = kubeconfig_of(environment, tmp_path)
    assert server.token not in found.read_text()
    await can_read(found)


def test_the_kubeconfig_that_is_named_is_the_one(tmp_path: Path) -> None:
    environment = {"KUBECONFIG": "/a", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert kubeconfig_of(environment, tmp_path) == Path("/a")


def test_without_any_it_says_where_was_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidSetting, match="no service account is mounted"):
        kubeconfig_of({}, tmp_path)


# -- plugins ---------------------------------------------------------------------------------------


def plugin(folder: Path, program: str) -> dict[str, Any]:
    """A user whose credentials a program of ours prints; it counts its runs in a file."""
    path = folder / "plugin"
    head = f"#!{sys.executable}\nimport json, pathlib\nfolder = pathlib.Path({str(folder)!r})\n"
    count = "with open(folder / 'runs', 'a') as runs:\n    runs.write('x')\n"
    path.write_text(head + count + textwrap.dedent(program))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(path), "interactiveMode": "Never"}}


PRINTS_TOKEN = """
token = (folder / "token").read_text()
status = {"token": token}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": status}))
"""


async def test_an_exec_plugin(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(server.token)
    path = kubeconfig(tmp_path, plugin(tmp_path, PRINTS_TOKEN), of(server))
    async with KubeClient.from_kubeconfig(path) as client:
        await asyncio.gather(*(client.get(NAMESPACES, "default") for _ in range(5)))
    assert (tmp_path / "runs").read_text() == "x"


async def test_an_exec_plugin_is_run_again_when_its_token_is_refused(
    server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("expired")
    path = kubeconfig(tmp_path, plugin(tmp_path, PRINTS_TOKEN), of(server))
    async with KubeClient.from_kubeconfig(path) as client:
        (tmp_path / "token").write_text(server.token)
        await asyncio.gather(*(client.get(NAMESPACES, "default") for _ in range(5)))
    assert (tmp_path / "runs").read_text() == "xx"


async def test_a_token_that_is_refused_for_good_is_shown_twice_and_no_more(
    server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("expired")
    path = kubeconfig(tmp_path, plugin(tmp_path, PRINTS_TOKEN), of(server))
    async with KubeClient.from_kubeconfig(path) as client:
        with pytest.raises(Unauthorized):
            await client.get(NAMESPACES, "default")
    assert (tmp_path / "runs").read_text() == "xx"


def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    user = plugin(tmp_path, "raise SystemExit('not logged in')")
    path = kubeconfig(tmp_path, user, {"server": "https://127.0.0.1:1"})
    with pytest.raises(ValueError, match="gave no credentials"):
        access_of(path)


def test_without_the_official_client_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    path = kubeconfig(tmp_path, plugin(tmp_path, PRINTS_TOKEN), {"server": "https://127.0.0.1:1"})
    with pytest.raises(ValueError, match=r"pip install 'hearth-serving\[cluster\]'"):
        access_of(path)


async def test_several_files_are_one(server: RunningServer, tmp_path: Path) -> None:
    whole = yaml.safe_load(kubeconfig(tmp_path, {"token": server.token}, of(server)).read_text())
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(yaml.safe_dump({**whole, "users": []}))
    second.write_text(yaml.safe_dump({"users": whole["users"]}))
    await can_read(Path(f"{first}:{second}"))


# -- servers that say what they were shown ---------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(
    handler: Callable[[web.Request], Awaitable[web.Response]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"{'http' if context is None else 'https'}://{host}:{port}"
    finally:
        await runner.cleanup()


def certified(*names: str) -> dict[str, bytes]:
    files = renewed({}, names, NOW)
    assert files is not None
    return files


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


async def _welcome(request: web.Request) -> web.Response:
    return web.json_response({"kind": "Namespace", "shown": request.headers.get("Authorization")})


def tls(files: dict[str, bytes]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_chain(context, files[CERTIFICATE], files[KEY])
    return context


def client_certificate(files: dict[str, bytes], user: str = "me") -> tuple[bytes, bytes]:
    """A certificate for a user, of the same authority and good for an hour, and its key."""
    [authority] = x509.load_pem_x509_certificates(files[AUTHORITIES])
    signer = serialization.load_pem_private_key(files[AUTHORITY_KEY], None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(pem), key.private_bytes(pem, form, serialization.NoEncryption())


@pytest.mark.parametrize("in_files", [False, True])
async def test_client_certificates(tmp_path: Path, in_files: bool) -> None:
    files = certified("127.0.0.1")
    context = tls(files)
    context.load_verify_locations(cadata=files[AUTHORITIES].decode())
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = client_certificate(files)
    user = {
        "client-certificate-data": encoded(certificate),
        "client-key-data": encoded(key),
    }
    if in_files:
        (tmp_path / "client.crt").write_bytes(certificate)
        (tmp_path / "client.key").write_bytes(key)
        user = {"client-certificate": "client.crt", "client-key": "client.key"}
    async with listening(_welcome, context) as url:
        cluster = {"server": url, "certificate-authority-data": encoded(files[AUTHORITIES])}
        with pytest.raises(Unavailable):
            await can_read(kubeconfig(tmp_path, {"token": "x"}, cluster))
        await can_read(kubeconfig(tmp_path, user, cluster))


PRINTS_CERTIFICATE = """
status = {"clientCertificateData": (folder / "crt").read_text(),
          "clientKeyData": (folder / "key").read_text()}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": status}))
"""


async def test_certificates_of_an_exec_plugin_are_fetched_anew_before_they_end(
    tmp_path: Path,
) -> None:
    files = certified("127.0.0.1")
    context = tls(files)
    context.load_verify_locations(cadata=files[AUTHORITIES].decode())
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []

    async def who(request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        seen.append(dict(pair[0] for pair in subject)["commonName"])
        return web.json_response({"kind": "Namespace"})

    def prints(user: str) -> None:
        certificate, key = client_certificate(files, user)
        (tmp_path / "crt").write_bytes(certificate)
        (tmp_path / "key").write_bytes(key)

    now, wall = [1.0], [NOW.timestamp()]
    prints("first")
    async with listening(who, context) as url:
        cluster = {"server": url, "certificate-authority-data": encoded(files[AUTHORITIES])}
        path = kubeconfig(tmp_path, plugin(tmp_path, PRINTS_CERTIFICATE), cluster)
        access = access_by_plugins(path, clock=lambda: now[0], wall=lambda: wall[0])
        async with KubeClient(access) as client:
            await client.get(NAMESPACES, "default")
            prints("second")
            now[0] += 61
            await client.get(NAMESPACES, "default")
            assert seen == ["first", "first"], "it is good for most of an hour yet"
            now[0] += 61
            wall[0] += 3600 - 60
            await client.get(NAMESPACES, "default")
    assert seen == ["first", "first", "second"]
    assert (tmp_path / "runs").read_text() == "xx"


async def test_the_name_in_the_server_certificate_may_be_another(tmp_path: Path) -> None:
    files = certified("api.example.com")
    async with listening(_welcome, tls(files)) as url:
        cluster = {"server": url, "certificate-authority-data": encoded(files[AUTHORITIES])}
        with pytest.raises(Unavailable):
            await can_read(kubeconfig(tmp_path, {"token": "x"}, cluster))
        await can_read(
            kubeconfig(tmp_path, {"token": "x"}, {**cluster, "tls-server-name": "api.example.com"})
        )


async def _shown(path: Path) -> str | None:
    async with KubeClient.from_kubeconfig(path) as client:
        shown: str | None = (await client.get(NAMESPACES, "default"))["shown"]
    return shown


async def test_user_and_password(tmp_path: Path) -> None:
    async with listening(_welcome) as url:
        user = {"username": "me", "password": "secret"}
        shown = await _shown(kubeconfig(tmp_path, user, {"server": url}))
    assert shown == f"Basic {encoded(b'me:secret')}"


def a_jwt(expires: int) -> str:
    parts = ({"alg": "none"}, {"exp": expires}, {"not": "checked"})
    encoded_parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )
    return ".".join(encoded_parts)


@pytest.mark.parametrize("is_expired", [False, True])
async def test_oidc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_expired: bool) -> None:
    """A login that has expired is renewed at its issuer."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    far = int(NOW.timestamp()) + 86_400
    old, new = a_jwt(1 if is_expired else far), a_jwt(far + 1)

    async def issuer(request: web.Request) -> web.Response:
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"token_endpoint": f"http://{request.host}/token"})
        if request.path == "/token":
            assert (await request.post())["refresh_token"] == "again"
            return web.json_response(
                {"id_token": new, "refresh_token": "once more", "access_token": "a"}
            )
        return await _welcome(request)

    async with listening(issuer) as url:
        provider = {
            "idp-issuer-url": url,
            "client-id": "me",
            "client-secret": "mine",
            "id-token": old,
            "refresh-token": "again",
        }
        user = {"auth-provider": {"name": "oidc", "config": provider}}
        path = kubeconfig(tmp_path, user, {"server": url})
        access = await asyncio.to_thread(access_of, path)
        async with KubeClient(access) as client:
            shown = (await client.get(NAMESPACES, "default"))["shown"]
    assert shown == f"Bearer {new if is_expired else old}"
    assert ("once more" in path.read_text()) == is_expired  # as kubectl keeps it


# -- proxies ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy for https, and what it was asked to connect to."""
    asked: list[str] = []
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split()[1].decode()
        asked.append(target)
        host, port = target.rsplit(":", 1)
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for pair in ((reader, there[1]), (there[0], writer)):
            tasks.add(asyncio.create_task(copy(*pair)))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}", asked
    finally:
        listener.close()
        await asyncio.gather(*tasks)


async def test_the_proxy_of_a_cluster(server: RunningServer, tmp_path: Path) -> None:
    async with proxy() as (url, asked):
        cluster = {**of(server), "proxy-url": url}
        await can_read(kubeconfig(tmp_path, {"token": server.token}, cluster))
    assert asked == [server.url.removeprefix("https://")]


@pytest.mark.parametrize(
    ("server_url", "no_proxy", "found"),
    [
        ("https://api.example.com", "", "http://proxy:3128"),
        ("https://api.example.com", "example.com", None),
        ("https://127.0.0.1:6443", "", None),
        ("https://[::1]:6443", "", None),
        ("https://localhost:6443", "", None),
    ],
)
def test_the_proxy_of_the_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server_url: str,
    no_proxy: str,
    found: str | None,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    access: Access = access_of(kubeconfig(tmp_path, {"token": "x"}, {"server": server_url}))
    assert access.proxy == found


# -- the socket of this machine --------------------------------------------------------------------


async def test_on_its_own_machine_the_server_is_reached_by_its_socket(
    server: RunningServer, tmp_path: Path
) -> None:
    socket = access_of(server.kubeconfig).socket
    assert socket is not None
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    content = yaml.safe_load(server.kubeconfig.read_text())
    # Nothing is asked for over TLS: this authority has signed no certificate.
    content["clusters"][0]["cluster"]["certificate-authority-data"] = _pem_of_another_authority()
    path = tmp_path / "other-authority"
    path.write_text(yaml.safe_dump(content))
    await can_read(path)


async def test_the_socket_asks_for_the_token_too(server: RunningServer) -> None:
    access = access_of(server.kubeconfig)
    async with KubeClient(replace(access, token="of somebody else")) as client:
        with pytest.raises(Unauthorized):
            await client.get(NAMESPACES, "default")


async def test_another_address_in_the_file_is_gone_to(
    server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "through-a-tunnel"
    port = server.url.rsplit(":", 1)[1]
    path.write_text(server.kubeconfig.read_text().replace("127.0.0.1", "localhost", 1))
    access = access_of(path)
    assert (access.server, access.socket) == (f"https://localhost:{port}", None)
    await can_read(path)


async def test_a_file_on_another_machine_goes_without_the_socket(
    server: RunningServer, tmp_path: Path
) -> None:
    content = yaml.safe_load(server.kubeconfig.read_text())
    extension = content["clusters"][0]["cluster"]["extensions"][0]["extension"]
    extension["path"] = str(tmp_path / "not-here.sock")
    path = tmp_path / "copied"
    path.write_text(yaml.safe_dump(content))
    assert access_of(path).socket is None
    await can_read(path)


async def test_a_path_too_long_for_a_socket_has_none(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    async with running_apiserver(folder) as running:
        assert access_of(running.kubeconfig).socket is None
        await can_read(running.kubeconfig)


def _pem_of_another_authority() -> str:
    files = renewed({}, ["localhost"], NOW)
    assert files is not None
    return base64.b64encode(files[AUTHORITIES]).decode()
