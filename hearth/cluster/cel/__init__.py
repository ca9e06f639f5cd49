"""CEL, the Common Expression Language, as Kubernetes extends it."""
