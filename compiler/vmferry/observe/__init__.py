"""What the cluster shows of a migration: from dumps of `kubectl get -o json` to entries of evidence."""
