"""The counter: takes orders over HTTP.

``POST /orders`` puts an order into the queue, as an event to the Broker ($K_SINK), and answers 202
once the Broker has it. ``POST /coffees`` has a barista ($BARISTA) make it at once, and answers 200
with the coffee; if none can, the order goes into the queue, and the answer is 202.
An order sent twice with the same ``id`` is one order.
"""

import os
import sys

sys.path.insert(0, os.path.join(sys.path[0], ".."))

from shop import MADE, ORDERED, BadOrder, read_order
from tinyhttp import Request, Response, Server, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shop import Data

BROKER = os.environ.get("K_SINK", "")
BARISTA = os.environ.get("BARISTA", "")
BARISTA_TRIES = 8
HELP = b"""The counter. An order, into the queue:   POST /orders  {"drink": "latte", "name": "Ada"}
or made while you wait:                  POST /coffees {"drink": "espresso", "name": "Ada"}
"""


def tell(kind: str, data: "Data", act: str) -> None:
    """Sends an event to the Broker; returns when it is stored there."""
    status, said = post(BROKER, data, headers_of(kind, data["id"], act, via=data["via"]))
    if status >= 300:
        raise NotTaken(f"the Broker answered {status} {said}")


def queue(order: "Data") -> Response:
    """Puts an order into the queue."""
    tell(ORDERED, {**order, "via": "queue"}, "queue")
    return answer(202, {**order, "status": "in the queue; the board shows it"})


def make(order: "Data") -> Response:
    """Has an order made while its guest waits."""
    order["via"] = "http"
    tell(ORDERED, order, "http")
    try:
        status, coffee = post(BARISTA, order, {}, tries=BARISTA_TRIES)
    except NotTaken:
        status = 503
    if status != 200:
        return queue(order)
    tell(MADE, coffee, coffee["making"])
    return answer(200, coffee)


def answer(status: int, data: "Data") -> Response:
    """Answers in JSON."""
    return Response(
        status, json.dumps(data).encode() + b"\n", [("Content-Type", "application/json")]
    )


def handle(request: Request) -> Response:
    """Takes an order."""
    ways = {"/orders": queue, "/coffees": make}
    if request.path not in ways or request.method != "POST":
        return Response(200 if request.path == "/" else 404, HELP)
    if not BROKER:
        return answer(503, {"error": "there is no K_SINK: apply the SinkBinding `counter`"})
    try:
        given = json.loads(request.body)
    except ValueError:
        given = None
    try:
        order = read_order(given, os.urandom(6).hex(), time.time())
    except BadOrder as error:
        return answer(400, {"error": str(error)})
    try:
        return ways[request.path](order)
    except NotTaken as error:
        return answer(503, {"error": f"the order was not taken, order again: {error}"})


if __name__ == "__main__":
    server = Server()
    server.listen(port())
    import json  # callers can connect while these are being imported
    import time

    from sending import NotTaken, headers_of, post

    server.serve(handle)
