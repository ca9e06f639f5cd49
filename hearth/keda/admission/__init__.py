"""KEDA's admission: rules and words are KEDA's own, the answers those of its webhooks.

``webhooks`` is what the process ``control`` has of it, without models; all else is imported at the
first review. Unlike Knative's (``hearth.knative.admission``) these webhooks default nothing and
refuse with 403 and the text alone, as controller-runtime does.
"""
