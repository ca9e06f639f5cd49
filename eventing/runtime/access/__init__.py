"""Who may send events here, and as whom events are sent on: OIDC tokens and EventPolicies."""
