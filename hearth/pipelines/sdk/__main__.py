"""``python -m hearth.pipelines.sdk worker|function|artifacts``: what pods of runs start.

One program for all, so that all are forked from one warm interpreter.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    if sys.argv[1:] == ["function"]:
        from hearth.pipelines.sdk.function import main
    elif sys.argv[1:] == ["artifacts"]:
        from hearth.pipelines.sdk.artifacts import main
    else:
        from hearth.pipelines.sdk.worker import main
    sys.exit(main())
