"""Serves the files of a folder over HTTP; what runs a folder with an index.html and no program.

    python static.py FOLDER

Listens on PORT until SIGTERM. Folders are shown by their index.html and never listed; files whose
names begin with a dot are not served.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit


class Handler(SimpleHTTPRequestHandler):
    """GET and HEAD of files."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the body does not wait until the head is acknowledged

    def send_head(self) -> Any:
        """Refuse what begins with a dot, where it is asked for by whatever spelling."""
        parts = PurePosixPath(unquote(urlsplit(self.path).path)).parts
        if any(part.startswith(".") for part in parts):
            self.send_error(404, "File not found")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> BytesIO | None:
        """Show no folder's content."""
        self.send_error(404, "File not found")
        return None

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def main() -> None:
    """Serve the folder named on the command line until SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))  # noqa: TID251 - a main program of its own
    server = _Server(("0.0.0.0", port), partial(Handler, directory=sys.argv[1]))

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
