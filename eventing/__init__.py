"""Knative Eventing: Brokers and Triggers on a durable log.

``api`` holds kinds, settings and admission; ``kinds`` the controllers; ``codec`` and ``filters``
what CloudEvents say; ``engines`` where events lie; ``runtime`` what takes
them in and delivers them.
"""
