"""Admission as knative.dev/pkg does it: a kind is one declaration, the webhooks follow from it.

``kinds`` is what a project declares, ``decisions`` turns a request into an answer, ``configmaps``
checks ConfigMaps, ``webhooks`` registers and serves a project's three webhooks. Serving and
eventing differ only in what they declare.
"""
