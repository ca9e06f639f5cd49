"""The adapters of IntegrationSinks: what takes events for a log or a service of AWS.

A pod for each sink, which events reach through the broker's ingress (``runtime.integrationsink``).
"""
