"""Knative's own library beside Kubernetes': what ``knative.dev/pkg`` is to Knative's controllers.

Condition sets, field errors, structural differences, child names and the resources of Knative's
API groups. ``hearth.kube`` below knows none of it, and the one-machine Kubernetes imports none.
"""
