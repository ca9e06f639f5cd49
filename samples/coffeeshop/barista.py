"""A barista: makes a coffee of each order, one after the other.

An order by plain HTTP is answered with the coffee as JSON; an order that comes as a CloudEvent is
answered with an event, ``coffee.made``, which the Broker that sent the order takes as a reply.
Asked again for an order that it has made, it gives the same coffee. $SECONDS is how long one takes.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(sys.path[0], ".."))

from shop import MADE, make_coffee
from tinyhttp import Request, Response, Server, make_lock, port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shop import Data

SECONDS = float(os.environ.get("SECONDS", "0.3"))
NAME = os.environ.get("HOSTNAME", f"barista-{os.getpid()}")
REMEMBERED = 1000  # coffees

made: "dict[str, Data]" = {}
machine = make_lock()


def coffee_of(order: "Data") -> "Data":
    """Makes the coffee of an order, unless it has been made here."""
    with machine:
        if order["id"] not in made:
            time.sleep(SECONDS)
            making = os.urandom(4).hex()
            made[order["id"]] = make_coffee(order, NAME, making, time.time())
        while len(made) > REMEMBERED:
            del made[next(iter(made))]
        return made[order["id"]]


def handle(request: Request) -> Response:
    """Takes an order by POST."""
    if request.method != "POST":
        return Response(200, b"a barista: POST an order here\n")
    try:
        coffee = coffee_of(json.loads(request.body))
    except (ValueError, TypeError, KeyError):
        return Response(400, b"an order is a JSON object with an id\n")
    print(f"{coffee['drink']} for {coffee['name']} ({coffee['id']})", flush=True)
    headers = [("Content-Type", "application/json")]
    if "ce-id" in request.headers:
        headers += headers_of(MADE, coffee["id"], coffee["making"]).items()
    return Response(200, json.dumps(coffee).encode(), headers)


if __name__ == "__main__":
    server = Server()
    server.listen(port())
    import json  # callers can connect while these are being imported

    from sending import headers_of

    server.serve(handle)
