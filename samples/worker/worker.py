"""Works jobs off a Redis list, one after the other, and counts them in the key ``LIST:done``.

$REDIS is the server (127.0.0.1:6379), $LIST the list (jobs), $SECONDS how long a job takes (0.05).
With $JOBS it ends after that many, or when there is none for it, as a Job of Kubernetes has to.
Told to end, it finishes the job that it has.
"""

import os
import signal
import socket
import sys
import time

HOST, _, PORT = os.environ.get("REDIS", "127.0.0.1:6379").rpartition(":")
LIST = os.environ.get("LIST", "jobs")
SECONDS = float(os.environ.get("SECONDS", "0.05"))
JOBS = int(os.environ.get("JOBS", "0"))
WAIT_SECONDS = 1
"""How long Redis is asked to wait for a job; after it the worker looks whether it is to end."""

ending = False


def end(*_: object) -> None:
    """Notes that the worker is to end."""
    global ending
    ending = True


class Redis:
    """As much of Redis' protocol (RESP2) as is needed."""

    def __init__(self) -> None:
        self._socket = socket.create_connection((HOST, int(PORT)), timeout=WAIT_SECONDS + 5)
        self._stream = self._socket.makefile("rb")

    def __call__(self, *words: str) -> bytes:
        """Sends a command; returns the first line of its answer, and skips what follows."""
        parts = [word.encode() for word in words]
        sent = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)]
        self._socket.sendall(b"".join(sent))
        first = self._stream.readline().strip()
        if not first or first.startswith(b"-"):
            raise ConnectionError(first.decode() or "the connection was closed")
        for _ in range(2 * max(int(first[1:]), 0) if first.startswith(b"*") else 0):
            self._stream.readline()
        return first


def work(redis: Redis) -> int:
    """Works until there is nothing left to do; returns how many jobs were done."""
    done = 0
    while not ending and not (JOBS and done == JOBS):
        if redis("BRPOP", LIST, str(WAIT_SECONDS)) == b"*-1":
            if JOBS:
                break
            continue
        time.sleep(SECONDS)
        redis("INCR", f"{LIST}:done")
        done += 1
    return done


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    try:
        print(f"done: {work(Redis())}", flush=True)
    except OSError as error:
        sys.exit(f"Redis at {HOST}:{PORT}: {error}")
