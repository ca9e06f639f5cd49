"""Pure decisions about routes: targets, gradual rollout, names and visibility."""
