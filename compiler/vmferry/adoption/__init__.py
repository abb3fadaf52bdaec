"""Adoption: VMs are recorded as the cluster has them, and git owns them from then on."""
