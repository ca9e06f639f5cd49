"""What events of an IntegrationSource's timer are, as with Knative's connector. Pure."""

TYPE = "dev.knative.eventing.timer"
SOURCE = "dev.knative.eventing.timer-source"
SUBJECT = "timer-source"
