"""How many pods a revision should have: Knative's KPA, and waking up from zero."""
