"""Requests for group versions of other API servers: sent on, with who asks.

Clients: HorizontalPodAutoscalers (external and custom metrics), and whoever asks KEDA's operator.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hearth.cluster.codec import paths
from hearth.cluster.model.aggregates import Aggregate
from hearth.cluster.operations.api import Api
from hearth.cluster.operations.sending import Question, Unreachable
from hearth.cluster.rest.aggregation import answered, sent_on
from hearth.cluster.rest.requests import Cut, Request, Response, text_response

REQUEST_SECONDS = 60.0
"""kube-apiserver's limit for all but watches."""
_WHOLE_BYTES = 256 * 1024


async def send_on(api: Api, request: Request, aggregate: Aggregate) -> Response:
    """The other server's answer; 503 in Kubernetes' words where there is none."""
    if not aggregate.is_available:
        return _unavailable("service unavailable")
    assert api.sender is not None
    target = f"{request.path}?{request.raw_query}" if request.raw_query else request.path
    question = Question(
        request.method, target, sent_on(request.headers, request.user), request.body
    )
    lasts = paths.flag(request.query, "watch") or paths.flag(request.query, "follow")
    answers = contextlib.AsyncExitStack()
    try:
        response = await answers.enter_async_context(
            api.sender.answer(aggregate, question, seconds=None if lasts else REQUEST_SECONDS)
        )
    except LookupError:
        return _unavailable("service unavailable")
    except Unreachable as error:
        return _unavailable(f"error trying to reach service: {error}")
    return await _answer(response, answers)


def _unavailable(message: str) -> Response:
    return text_response(f"{message}\n", 503)


async def _answer(response: Any, answers: contextlib.AsyncExitStack) -> Response:
    """Short answers as a whole; others piece by piece, as they come."""
    media = response.headers.get("content-type", "application/octet-stream")
    headers = answered(response.headers)
    length = response.content_length
    if length is None or length > _WHOLE_BYTES:
        return Response(response.status, _pieces(response, answers), media, headers)
    try:
        async with answers:
            return Response(response.status, await response.read(), media, headers)
    except Unreachable as error:
        return _unavailable(f"error trying to reach service: {error}")


async def _pieces(response: Any, answers: contextlib.AsyncExitStack) -> AsyncIterator[bytes]:
    try:
        async with answers:
            async for piece in response.content.iter_any():
                yield piece
    except Unreachable as error:
        raise Cut from error
