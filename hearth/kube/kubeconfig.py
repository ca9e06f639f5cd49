"""Reads kubeconfigs: what stands in the file itself; the rest is left to the official client.

A token, certificates and a proxy are read here, which costs nothing. Programs that are run for
credentials, OIDC and several files in one are what ``hearth.kube.plugins`` knows.
"""

from __future__ import annotations

import base64
import os
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hearth.kube.access import Access, TokenFile
from hearth.kube.meta import Object

SOCKET_EXTENSION = "hearth.dev/socket"
"""A cluster's extension: the path of a socket, and which server it is another way to."""
_PLUGINS = ("exec", "auth-provider", "username")


def access_of(path: Path) -> Access:
    """Return what the current context says; raise ValueError where it cannot be used.

    Several files, joined as ``KUBECONFIG`` has them, are one.
    """
    if os.pathsep in str(path):
        return _by_official_client(path)
    config = yaml.safe_load(path.read_text())
    try:
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"] if "user" in context else {}
        server = str(cluster["server"]).rstrip("/")
    except (KeyError, StopIteration, TypeError) as error:
        raise ValueError(f"{path}: no usable current-context") from error
    user = user or {}
    if any(field in user for field in _PLUGINS):
        return _by_official_client(path)
    return _access(path.absolute().parent, server, cluster, user)


def _access(
    folder: Path, server: str, cluster: Mapping[str, Any], user: Mapping[str, Any]
) -> Access:
    """Return what is written in the file; other files are named relatively to its folder."""
    authority = _pem(folder, cluster, "certificate-authority")
    certificate = _pem(folder, user, "client-certificate")
    key = _pem(folder, user, "client-key")
    return Access(
        server=server,
        token=user.get("token"),
        ca_pem=None if authority is None else authority.decode(),
        client_certificate=(certificate, key) if certificate and key else None,
        verify=not cluster.get("insecure-skip-tls-verify", False),
        server_name=cluster.get("tls-server-name"),
        proxy=cluster.get("proxy-url") or environment_proxy(server),
        socket=_socket(cluster, server),
        authorization=TokenFile(folder / user["tokenFile"]) if "tokenFile" in user else None,
    )


def _socket(cluster: Mapping[str, Any], server: str) -> Path | None:
    """Return the socket of this server, if it is ours to use here; a changed address is not its."""
    for entry in cluster.get("extensions") or ():
        if entry.get("name") == SOCKET_EXTENSION and entry["extension"]["server"] == server:
            path = Path(entry["extension"]["path"])
            return path if os.access(path, os.R_OK | os.W_OK) else None
    return None


def _by_official_client(path: Path) -> Access:
    from hearth.kube.plugins import access_by_plugins

    return access_by_plugins(path)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _pem(folder: Path, section: Mapping[str, str], field: str) -> bytes | None:
    if section.get(f"{field}-data"):
        return base64.b64decode(section[f"{field}-data"])
    return (folder / section[field]).read_bytes() if section.get(field) else None


def environment_proxy(server: str) -> str | None:
    """Return the proxy that the environment names for a server; loopback needs none, as in Go."""
    address = urllib.parse.urlsplit(server)
    host = address.hostname or ""
    if host == "localhost" or host == "::1" or host.startswith("127."):
        return None
    if urllib.request.proxy_bypass_environment(host):  # type: ignore[attr-defined]
        return None
    return urllib.request.getproxies_environment().get(address.scheme)


def service_account_kubeconfig(host: str, port: str, folder: Path) -> Object:
    """Return the kubeconfig of a pod: what the kubelet has mounted into a folder, by reference."""
    shown = f"[{host}]" if ":" in host else host
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        "clusters": [
            {
                "name": "pod",
                "cluster": {
                    "server": f"https://{shown}:{port}",
                    "certificate-authority": str(folder / "ca.crt"),
                },
            }
        ],
        "users": [{"name": "pod", "user": {"tokenFile": str(folder / "token")}}],
    }
