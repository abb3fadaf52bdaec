"""vmferry compiles a migration spec into GitOps manifests that take a VMware estate to KubeVirt."""

__version__ = "0.1.0"
