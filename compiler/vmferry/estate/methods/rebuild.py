"""The method of path rebuild: nothing of the VM is copied, its application runs in containers."""

from vmferry.estate.methods.traits import CLIENT_LAYERS, CLIENT_STEPS, MOVING, STARTED, Layer, MoveMethod
from vmferry.estate.stages import OWNED
from vmferry.kube import kinds

METHOD = MoveMethod(
    path="rebuild",
    layers={
        "config": Layer(("prepared", *MOVING, *OWNED), kept=("migrating", *STARTED)),
        "workload": Layer((*MOVING, *OWNED), wave=1, kept=("migrating", *STARTED)),
        **CLIENT_LAYERS,
    },
    steps=(("workload", ("config", "workload")), *CLIENT_STEPS),
    kinds=(
        *(kinds.SERVICE, kinds.CONFIG_MAP, kinds.CLAIM, kinds.DEPLOYMENT, kinds.STATEFUL_SET),
        *(kinds.DISRUPTION_BUDGET, kinds.NETWORK_POLICY),
    ),
    usual=lambda _: "path rebuild has one method",
    source_runs=True,
)
