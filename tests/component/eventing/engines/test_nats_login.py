"""Who we are at a real server of NATS: TLS, certificates, passwords, tokens, keys, credentials."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eventing.api import keys
from eventing.engines.nats.config import NatsLimits, NatsServer
from eventing.engines.nats.engine import NatsEngine
from eventing.engines.nats.nkeys import Seed, text_of
from eventing.engines.nats.settings import of_cluster
from eventing.engines.seam import Unavailable
from hearth.cluster.apiserver.testing import running_apiserver
from hearth.kube.client import KubeClient
from hearth.kube.resources import CONFIGMAPS, NAMESPACES, SECRETS
from tests.component.eventing.engines.test_engines import an_event, append, ids, take
from tests.component.keda import servers
from tests.component.keda.pki import Authority
from tests.ports import free_port

LIMITS = NatsLimits(answer_seconds=2, ack_seconds=1, refresh_seconds=0)
HOST = "127.0.0.1"
OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


@contextlib.contextmanager
def server(folder: Path, settings: str) -> Iterator[int]:
    port = free_port()
    file = folder / "server.conf"
    file.write_text(
        f'listen: "{HOST}:{port}"\njetstream {{ store_dir: "{folder}/js" }}\n{settings}\n'
    )
    command = [servers.program("nats-server"), "-c", file]
    with servers.process(*command, ready=servers.listening(port), folder=folder):
        yield port


async def is_let_in(server: NatsServer) -> bool:
    """An event goes there and back."""
    engine = NatsEngine(server, LIMITS)
    try:
        log = await engine.open("log")
        consumer = await log.consume("c")
        await append(log, an_event(1))
        return ids(await take(consumer, 1)) == ["1"]
    finally:
        await engine.close()


async def is_refused(server: NatsServer) -> str:
    with pytest.raises(Unavailable) as caught:
        await is_let_in(server)
    return str(caught.value)


async def test_certificates_of_both_sides_are_asked_for(tmp_path: Path) -> None:
    authority, other = Authority(), Authority()
    cert, key = authority.issue(HOST).write(tmp_path, "server")
    (tmp_path / "ca.pem").write_text(authority.cert)
    tls = f'cert_file: "{cert}", key_file: "{key}", ca_file: "{tmp_path}/ca.pem", verify: true'
    with server(tmp_path, f"tls {{ {tls} }}") as port:
        ours = authority.issue("client")
        unknown = NatsServer((f"tls://{HOST}:{port}",), ca=authority.cert)
        known = replace(unknown, certificate=ours.cert, key=ours.key)
        assert await is_let_in(known)
        assert "certificate verify failed" in await is_refused(replace(known, ca=other.cert))
        assert await is_refused(unknown)


@pytest.mark.parametrize("how", ["password", "token", "nkey"])
async def test_users_are_let_in_by_what_they_know(tmp_path: Path, how: str) -> None:
    seed = new_seed(USER)
    users = {
        "password": "users: [{user: u, password: p}]",
        "token": "token: t",
        "nkey": f"users: [{{nkey: {Seed(seed).public()}}}]",
    }[how]
    with server(tmp_path, f"authorization {{ {users} }}") as port:
        unknown = NatsServer((f"nats://{HOST}:{port}",))
        known = {
            "password": replace(unknown, urls=(f"nats://u:p@{HOST}:{port}",)),
            "token": replace(unknown, token="t"),
            "nkey": replace(unknown, credentials=seed),
        }[how]
        assert await is_let_in(known)
        assert await is_refused(replace(unknown, credentials=new_seed(USER)))


async def test_credentials_of_a_secret_let_in(tmp_path: Path) -> None:
    """As upstream's ConfigMap names it; an account of the server's operator."""
    operator, account, system = new_seed(OPERATOR), new_seed(ACCOUNT), new_seed(ACCOUNT)
    user = new_seed(USER)
    names = {each: Seed(each).public(ACCOUNT) for each in (account, system)}
    names |= {operator: Seed(operator).public(OPERATOR), user: Seed(user).public(USER)}
    few = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    most = few | dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    of_operator = signed(
        operator,
        names[operator],
        names[operator],
        {"type": "operator", "version": 2, "system_account": names[system]},
    )
    of_account = {
        each: signed(
            operator,
            names[operator],
            names[each],
            {"type": "account", "version": 2, "limits": limits | {"wildcards": True}},
        )
        for each, limits in ((account, most), (system, few))
    }
    of_user = signed(
        account,
        names[account],
        names[user],
        {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1},
    )
    preload = ", ".join(f"{names[each]}: {text}" for each, text in of_account.items())
    settings = f"operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {preload} }}"
    creds = (
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user}\n------END USER NKEY SEED------\n"
    )
    with server(tmp_path, settings) as port:
        async with running_apiserver(tmp_path / "api") as api:
            async with KubeClient.from_kubeconfig(api.kubeconfig, user_agent="t") as client:
                await make(client, NAMESPACES, keys.SYSTEM_NAMESPACE, None, {})
                text = base64.b64encode(creds.encode()).decode()
                await make(
                    client, SECRETS, "user", keys.SYSTEM_NAMESPACE, {"data": {"nats.creds": text}}
                )
                said = (
                    f"url: nats://{HOST}:{port}\n"
                    "auth: {credentialFile: {secret: {name: user}}}\n"
                    "connOpts: {reconnectWaitMilliseconds: 700, maxReconnects: 3}\n"
                )
                await make(
                    client,
                    CONFIGMAPS,
                    "config-nats-broker",
                    keys.SYSTEM_NAMESPACE,
                    {"data": {"eventing-nats": said}},
                )
            found = await of_cluster(api.kubeconfig)
        assert found.reconnect_seconds == 0.7
        assert await is_let_in(found)
        assert await is_refused(NatsServer(found.urls))
        assert "no seed of an nkey" in await is_refused(NatsServer(found.urls, credentials="x"))


async def make(client: KubeClient, resource: Any, name: str, where: str | None, more: Any) -> None:
    metadata = {"name": name} | ({"namespace": where} if where else {})
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    await client.create(resource, {**obj, **more})


def new_seed(prefix: int) -> str:
    first = (18 << 3) | (prefix >> 5)
    return text_of(bytes([first, (prefix & 31) << 3]), os.urandom(32))


def signed(seed: str, issuer: str, subject: str, claims: Mapping[str, Any]) -> str:
    """A JWT of NATS."""

    def part(value: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"typ": "JWT", "alg": "ed25519-nkey"})
    body = part({"jti": "1", "iat": 1, "iss": issuer, "sub": subject, "name": "n", "nats": claims})
    mark = base64.urlsafe_b64encode(Seed(seed).sign(f"{head}.{body}".encode())).decode()
    return f"{head}.{body}.{mark.rstrip('=')}"
