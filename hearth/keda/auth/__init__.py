"""From a TriggerAuthentication to the parameters of a trigger."""
