"""rabbitmq: how long a queue is, how fast it fills and empties; by AMQP or the management API."""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import replace

import aio_pika
import httpx
from aio_pika.abc import AbstractConnection
from yarl import URL

from hearth.keda.scalers import http
from hearth.keda.scalers.params import read_params
from hearth.keda.scalers.polled import Kept, Polled, parsing, password_in, polled
from hearth.keda.scalers.rabbitmq_queue import Queue, composed, queue_of, reading
from hearth.keda.scalers.rabbitmq_settings import Settings
from hearth.keda.scalers.seam import ConfigError, Reading, ScalerError, TriggerConfig
from hearth.keda.scalers.tls import client_context

for _name in ("aio_pika", "aiormq"):  # what fails is told by our error
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_Look = Callable[[], Awaitable[Queue]]
_Close = Callable[[], Awaitable[None]]


def make(config: TriggerConfig) -> Polled:
    """Return the scaler of a ``rabbitmq`` trigger. Raises ConfigError."""
    with parsing("RabbitMQ", "RabbitMQ"):
        settings = read_params(Settings, config)
    by = _by_management if settings.protocol == "http" else _by_amqp
    try:
        look, closing = by(settings, config)
    except ValueError:  # which may say all of the URL
        raise ConfigError("error parsing RabbitMQ connection string: it is no URL") from None

    async def fetch() -> Reading:
        return reading(await look(), settings.mode, settings.activation)

    return polled(
        config,
        f"rabbitmq-{urllib.parse.quote_plus(settings.queue)}",
        target=settings.value,
        activation=settings.activation,
        fetch=fetch,
        doing="error inspecting RabbitMQ",
        closing=closing,
        secrets=(settings.host, password_in(settings.host), _written_password(settings.host)),
        timeout=settings.timeout or None,
    )


def _written_password(host: str) -> str:
    """The password of a URL as it is written there, with its escapes."""
    return host.partition("://")[2].rpartition("@")[0].partition(":")[2]


def _by_amqp(settings: Settings, config: TriggerConfig) -> tuple[_Look, _Close]:
    """A connection and a question of how many messages are ready; no rates."""
    url = _amqp_url(settings)
    context = client_context(
        ca=settings.ca,
        cert=settings.cert,
        key=settings.key,
        key_password=settings.key_password,
        unsafe=settings.unsafe_ssl,
    )
    name = f"keda-{config.namespace}-{config.object_name}"

    async def connect() -> AbstractConnection:
        return await aio_pika.connect(
            url, ssl_context=context, client_properties={"connection_name": name}
        )

    async def ask(connection: AbstractConnection) -> Queue:
        async with connection.channel(publisher_confirms=False) as channel:
            queue = await channel.declare_queue(settings.queue, passive=True)
            return Queue(messages=queue.declaration_result.message_count or 0)

    kept = Kept(connect, lambda each: each.close(), lambda each: not each.is_closed)
    return lambda: kept.ask(ask), kept.close


def _amqp_url(settings: Settings) -> URL:
    url = URL(settings.host)
    if settings.username:
        url = url.with_user(settings.username).with_password(settings.password)
    elif settings.cert and url.password is None:
        url = url.update_query(auth="external")
    if settings.vhost:
        return url.with_path(f"/{urllib.parse.quote(settings.vhost, safe='')}", encoded=True)
    return url


def _by_management(settings: Settings, config: TriggerConfig) -> tuple[_Look, _Close]:
    secured = settings.tls == "enable"
    client = http.client(
        config,
        unsafe_ssl=settings.unsafe_ssl,
        timeout=settings.timeout,
        ca=settings.ca if secured else "",
        cert=settings.cert if secured else "",
        key=settings.key if secured else "",
        key_password=settings.key_password,
    )
    url, user, password = management_url(settings)
    if settings.client_id:
        client.auth = http.ClientCredentials(settings.token_source)
    elif user:
        client.auth = httpx.BasicAuth(user, password)
    params = {
        "page": "1",
        "use_regex": "true",
        "pagination": "false",
        "name": settings.queue,
        "page_size": str(settings.page_size),
    }

    async def look() -> Queue:
        asked = params if settings.use_regex else None
        said = await http.get_json(client, url, params=asked, ok=(200,))
        if settings.use_regex and (said.get("page_count") or 0) > 1:
            raise ScalerError("regex matches more queues than can be recovered at once")
        found = said.get("items") or [] if settings.use_regex else [said]
        queue = composed([queue_of(each) for each in found], settings.operation)
        return replace(queue, messages=queue.ready) if settings.exclude_unacknowledged else queue

    return look, client.aclose


def management_url(settings: Settings) -> tuple[str, str, str]:
    """Return the URL of a queue, or of all that match, and who asks with which password.

    The last part of the host's path is the virtual host, as far as the trigger names no other.
    """
    parts = urllib.parse.urlsplit(settings.host)
    *folders, last = parts.path.split("/")
    vhost = urllib.parse.quote(settings.vhost, safe="") if settings.vhost else last or "%2F"
    place = parts.netloc.rpartition("@")[2]
    path = "/".join(["", *filter(None, folders), "api", "queues", vhost])
    if not settings.use_regex:
        path += f"/{urllib.parse.quote(settings.queue, safe='')}"
    user, password = settings.username, settings.password
    if not user:
        said = (parts.username or "", parts.password or "")
        user, password = map(urllib.parse.unquote, said)
    return f"{parts.scheme}://{place}{path}", user, password
