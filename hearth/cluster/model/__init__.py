"""What everything else in the one-machine Kubernetes speaks of: kinds, objects, types, errors."""
