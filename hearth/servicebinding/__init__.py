"""ServiceBinding (servicebinding.io/v1): credentials of services reach workloads of any kind."""
