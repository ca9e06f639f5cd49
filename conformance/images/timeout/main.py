"""Begins its answer after ``initialTimeout``, ends it after ``timeout``, both in milliseconds."""

import time

from serve import Request, serve


def answer(request: Request) -> None:
    time.sleep(int(request.query("initialTimeout") or 0) / 1000)
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.flush()
    wanted = int(request.query("timeout") or 0)
    time.sleep(wanted / 1000)
    said = f"Slept for {wanted} milliseconds".encode()
    request.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said))


serve(answer)
