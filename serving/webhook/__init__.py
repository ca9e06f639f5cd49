"""Serving's admission: what ``hearth.knative.admission`` is told of its kinds."""
