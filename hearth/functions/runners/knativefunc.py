"""Serves a project of Knative func with its own middleware, as func's builders do.

    python knativefunc.py MODULE http|cloudevent

The module has ``new()``, which makes an instance, or ``handle``. func-python listens where
LISTEN_ADDRESS says; without it, on PORT. What the function raises is in the log with its trace, and
answered by a bare 500: func-python puts the exception's text into the answer and logs nothing.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

Handle = Callable[[Any, Any, Any], Awaitable[None]]


def main() -> None:
    """Serve the module named on the command line until SIGTERM."""
    module, invoke = sys.argv[1:3]
    sys.path.insert(0, os.getcwd())
    port = os.environ.get("PORT", "8080")  # noqa: TID251 - a main program of its own
    os.environ.setdefault("LISTEN_ADDRESS", f"[::]:{port},0.0.0.0:{port}")  # noqa: TID251
    user = importlib.import_module(module)
    function: Callable[..., Any]
    if hasattr(user, "new"):
        function = made_by(user.new)
    elif hasattr(user, "handle"):
        function = guarded(user.handle)
    else:
        sys.exit(f"the module {module} has neither new() nor handle()")
    importlib.import_module(f"func_python.{invoke}").serve(function)


def made_by(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return what makes the same instance, with its handle guarded."""

    def new() -> Any:  # by this name func-python knows what it is
        instance = make()
        if hasattr(instance, "handle"):
            instance.handle = guarded(instance.handle)
        return instance

    return new


def guarded(user: Handle) -> Handle:
    """Return a handler whose exceptions are logged, and answered where no answer has begun."""

    @functools.wraps(user)
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        try:
            await user(scope, receive, send)
        except Exception:
            logging.exception("the function failed")
            answer = getattr(send, "http", send)  # beneath what makes CloudEvents of answers
            with contextlib.suppress(Exception):
                head = {"type": "http.response.start", "status": 500}
                await answer({**head, "headers": [[b"content-type", b"text/plain"]]})
                await answer({"type": "http.response.body", "body": b"the function failed"})

    handle.__name__ = "handle"
    return handle


if __name__ == "__main__":
    main()
