"""Works as each request says: ``sleep`` (with ``sleep-stddev``), ``prime`` and ``bloat``."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from serve import Request, serve

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+")


def seconds(text: str) -> float:
    """Read ``100`` (milliseconds) or ``1m30s``; what is neither is a ValueError."""
    if re.fullmatch(r"-?\d+", text):
        return int(text) / 1000
    if not _DURATION.fullmatch(text):
        raise ValueError(f'time: invalid duration "{text}"')
    parts = re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def sleep(duration: float, deviation: int | None) -> str:
    if deviation is not None:
        duration = max(0.0, duration + random.gauss(0, deviation) / 1000)
    time.sleep(duration)
    return f"{'Slept' if deviation is None else 'Randomly slept'} for {duration * 1000:g}ms.\n"


def largest_prime(limit: int) -> str:
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, math.isqrt(limit) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    found = next((each for each in range(limit - 1, 1, -1) if sieve[each]), None)
    if found is None:
        return f"There are no primes smaller than {limit}.\n"
    return f"The largest prime less than {limit} is {found}.\n"


def bloat(megabytes: int) -> str:
    bytearray(b"\1") * (megabytes << 20)
    return f"Allocated {megabytes} Mb of memory.\n"


def work(request: Request) -> Iterator[Callable[[], str]]:
    """Yield what a request asks for; what cannot be is a ValueError."""
    if text := request.query("sleep"):
        duration, deviation = seconds(text), request.query("sleep-stddev")
        if duration < 0 or int(deviation or 0) < 0:
            raise ValueError("Negative query params are not supported")
        yield lambda: sleep(duration, int(deviation) if deviation else None)
    if text := request.query("prime"):
        limit = positive(text, "query params")
        yield lambda: largest_prime(limit)
    if text := request.query("bloat"):
        megabytes = positive(text, "durations")
        yield lambda: bloat(megabytes)


def positive(text: str, what: str) -> int:
    if (number := int(text)) <= 0:
        raise ValueError(f"Non-positive {what} are not supported")
    return number


def answer(request: Request) -> None:
    try:
        wanted = list(work(request))
    except ValueError as error:
        request.answer(f"{error}\n", status=400)
        return
    with ThreadPoolExecutor(3) as pool:
        request.answer("".join(pool.map(lambda each: each(), wanted)))


if __name__ == "__main__":
    serve(answer)
