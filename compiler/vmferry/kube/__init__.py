"""Facts about the Kubernetes side that more than one stage needs: versions, and later kinds and limits."""
