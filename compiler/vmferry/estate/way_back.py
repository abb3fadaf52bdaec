"""What rolling a group back costs at each stage: the outage and the data. `vmferry.rollback` has the steps."""

from vmferry.estate.cutover import cutover_of
from vmferry.estate.dual_run import source_runs
from vmferry.estate.methods import METHODS
from vmferry.estate.stages import begun, running
from vmferry.model.blueprint import Group


def outage(group: Group) -> str:
    """Return how long nothing serves while a group is rolled back from its stage."""
    method = METHODS[group.method]
    if not begun(group.stage):
        return "none: the sources run, and nothing was copied"
    if source_runs(group) and running(group.stage):
        return "none: the sources run, and clients go back to them"
    if running(group.stage):
        if group.path == "rebuild":
            return "from the moment the workload is scaled to 0 until clients reach the source again"
        if method.replicates:
            return "from the shutdown in the target until the sources take writes again, and clients reach them"
        grace = max((machine.termination_grace_period for machine in group.machines), default=0)
        return (
            f"from the shutdown in the target (at most {grace} s) until the sources have booted and are reached again"
        )
    if method.replicates or group.dual_run == "parallel":
        return "none: the sources serve"
    if method.source_runs or group.path == "rebuild":
        return "none: the sources run while they are copied"
    return "it is on already, since the sources were shut down for their copy; it ends when they have booted"


def data_lost(group: Group) -> str:
    """Return what is lost if a group is rolled back from its stage, and since when."""
    if not running(group.stage):
        return "none: nothing has written in the target"
    times = sorted({time for machine in group.machines if (time := cutover_of(group, machine)) is not None})
    started = "promoted" if METHODS[group.method].replicates else "started there"
    since = f"since the cutover, {times[0]}" if times else f"since they were {started}"
    return f"what the VMs wrote in the target {since}, unless it is replayed at the source (dataLoss: replayed)"
