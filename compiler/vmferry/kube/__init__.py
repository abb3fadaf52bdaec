"""Facts about the Kubernetes side that several stages need: kinds, versions, limits."""
