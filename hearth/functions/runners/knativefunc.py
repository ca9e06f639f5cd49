"""Serves a project of Knative func with its own middleware, as func's builders do.

    python knativefunc.py MODULE http|cloudevent

The module has ``new()``, which makes an instance, or ``handle``. func-python listens where
LISTEN_ADDRESS says; without it, on PORT.
"""

from __future__ import annotations

import importlib
import os
import sys


def main() -> None:
    """Serve the module named on the command line until SIGTERM."""
    module, invoke = sys.argv[1:3]
    sys.path.insert(0, os.getcwd())
    port = os.environ.get("PORT", "8080")  # noqa: TID251 - a main program of its own
    os.environ.setdefault("LISTEN_ADDRESS", f"[::]:{port},0.0.0.0:{port}")  # noqa: TID251
    user = importlib.import_module(module)
    function = getattr(user, "new", None) or getattr(user, "handle", None)
    if function is None:
        sys.exit(f"the module {module} has neither new() nor handle()")
    importlib.import_module(f"func_python.{invoke}").serve(function)


if __name__ == "__main__":
    main()
