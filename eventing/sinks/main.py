"""The adapter of one IntegrationSink: ``hearth run integrationsink``, in a pod that control makes.

What to do comes in ``K_SINK_CONFIG``. It takes events as the broker does, by the same code.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventing.api.integration import S3, Sns, Sqs
from eventing.api.integrationsink import Log
from eventing.aws.clients import client_of
from eventing.aws.faults import Asked, AwsFault, problem_of
from eventing.aws.names import parse_name
from eventing.kinds.integrationsink import CONFIG
from eventing.kinds.podcertificates import FOLDER, VOLUME_VARIABLE
from eventing.runtime.access.keys import TokenKeys
from eventing.runtime.config import IngressLimits
from eventing.runtime.ingress import Ingress
from eventing.runtime.places import INTEGRATION_SINK
from eventing.sinks.exchange import SinkExchange
from eventing.sinks.guard import BrokerAlone
from eventing.sinks.log import LogSink
from eventing.sinks.seam import EventSink
from hearth.kube.client import KubeClient
from hearth.kube.timers import pause

_TRIES_TO_BEGIN = 5
_GRACE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """How the adapter is set up."""

    kubeconfig: Path
    host: str
    port: int
    drain_delay_seconds: float = 0.0
    """How long events are taken at the end, till nobody is sent here any more."""


async def run(
    config: SinkConfig, ready: Callable[[], None], environment: Mapping[str, str] = os.environ
) -> None:
    """Take events, until cancelled; raise ValueError for what the user has to mend."""
    given = _given(environment.get(CONFIG, ""))
    async with AsyncExitStack() as stack:
        sink = await _sink_of(given, stack)
        await _opened(sink)
        client = await stack.enter_async_context(KubeClient.from_kubeconfig(config.kubeconfig))
        exchange = SinkExchange(sink)
        stack.push_async_callback(exchange.close)
        ingress = Ingress(
            lambda place: None,
            limits=IngressLimits(),
            guard=BrokerAlone(given.get("sender"), TokenKeys(client)),
            exchanges={INTEGRATION_SINK: exchange},
        )
        stack.push_async_callback(ingress.stop, grace_seconds=_GRACE_SECONDS)
        if given.get("tls"):
            await ingress.start_tls(config.host, config.port, _certificate(environment))
        else:
            await ingress.start(config.host, config.port)
        stack.push_async_callback(asyncio.sleep, config.drain_delay_seconds)
        ready()
        await exchange.broken


def _certificate(environment: Mapping[str, str]) -> ssl.SSLContext:
    folder = Path(environment.get(VOLUME_VARIABLE) or FOLDER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"the certificate in {folder} cannot be used: {error}") from error
    return context


def _given(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{CONFIG} says nothing: {text!r}") from error


async def _sink_of(given: Mapping[str, Any], stack: AsyncExitStack) -> EventSink:
    if given.get("log") is not None:
        return LogSink(Log.model_validate(given["log"]))
    aws: Mapping[str, Any] = given.get("aws") or {}
    secret = str(aws.get("secret", ""))
    from eventing.sinks.aws import S3Sink, SnsSink, SqsSink

    if aws.get("s3") is not None:
        s3 = S3.model_validate(aws["s3"])
        client = await stack.enter_async_context(client_of("s3", s3))
        return S3Sink(s3, client, _asked("bucket", s3, secret, "autoCreateBucket"))
    if aws.get("sqs") is not None:
        sqs = Sqs.model_validate(aws["sqs"])
        client = await stack.enter_async_context(client_of("sqs", sqs))
        return SqsSink(sqs, client, _asked("queue", sqs, secret, "autoCreateQueue"))
    if aws.get("sns") is not None:
        sns = Sns.model_validate(aws["sns"])
        client = await stack.enter_async_context(client_of("sns", sns))
        return SnsSink(sns, client, _asked("topic", sns, secret, "autoCreateTopic"))
    raise AwsFault("nothing is named that takes events: log, or aws with s3, sqs or sns")


def _asked(kind: str, spec: S3 | Sqs | Sns, secret: str, creates: str) -> Asked:
    return Asked(f"the {kind} {parse_name(spec.arn).name} in {spec.region}", secret, creates)


async def _opened(sink: EventSink) -> None:
    """See that events can be taken; what is not the user's to mend is tried again."""
    for tries in range(1, _TRIES_TO_BEGIN + 1):
        try:
            await sink.open()
            return
        except AwsFault:
            raise
        except Exception as error:
            problem = problem_of(error, sink.asked)
            if problem.is_definite or tries == _TRIES_TO_BEGIN:
                raise AwsFault(problem.text) from error
            await pause(2.0 ** (tries - 1))
