"""What nobody uses costs nothing: HTTP/2 is imported when the first peer speaks it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, sys

import activator.main
from activator.dataplane import DataPlane

def loaded():
    return sorted(name for name in sys.modules if name.startswith("activator.http.h2."))

async def main():
    plane = DataPlane()
    _, port = await plane.listen("127.0.0.1", 0, internal=False)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\\r\\nHost: a.b\\r\\n\\r\\n")
    await reader.readuntil(b"\\r\\n\\r\\n")
    print(*loaded())
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n")
    await reader.readexactly(9)
    print(len(loaded()))
    writer.close()
    await plane.drain(delay_seconds=0, drain_seconds=0)

asyncio.run(main())
"""


def test_http2_is_imported_by_its_first_preface() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    before, after = done.stdout.splitlines()
    # Settings name its limits.
    assert before == "activator.http.h2.limits"
    assert int(after) > 10
