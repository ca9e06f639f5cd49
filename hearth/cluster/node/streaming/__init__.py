"""Commands, attachments and forwarded ports for clients of the API server, as of kubelet."""
