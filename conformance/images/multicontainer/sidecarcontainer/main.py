"""The container beside the one that serves: on 8882, or ``LISTEN_PORT``."""

import os

from serve import serve

serve(
    lambda request: request.answer("Yay!! multi-container works\n"),
    on=int(os.environ.get("LISTEN_PORT", "8882")),
)
