"""Webhooks: requests of GitHub, Slack, Stripe and others, checked and sent as events."""
