"""What would become of a cluster that runs Knative if Hearth took it over.

``reading`` asks the cluster, ``rules`` (pure) say what would work otherwise or not at all.
"""
