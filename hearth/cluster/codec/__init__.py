"""From bytes to values and back: bodies, patches, paths, media types, in Kubernetes' words."""
