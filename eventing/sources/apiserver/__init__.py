"""The adapter of one ApiServerSource: what happens to objects of the API, as events.

``changes`` knows what happened, ``events`` what is sent: these are pure. ``adapter`` watches, by
kopf, and sends. What it is told by the controller is ``eventing.api.apiserveradapter``.
"""
