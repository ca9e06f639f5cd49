"""Projects of Knative func: func.yaml, what it asks of a Service, and templates of new ones."""
