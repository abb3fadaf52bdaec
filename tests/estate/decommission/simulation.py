"""Walks through a sequence of hosts with a clock: what runs on each side after each step, and what would fail.

Nothing here uses the solver, its checks or the arithmetic of the sizing: capacities are worked out again from
docs/decommission.md.
"""

import random
from collections.abc import Iterable, Iterator

from vmferry.estate.capacity import Pod
from vmferry.estate.decommission.plans import Guest, Host, Sequence, Situation, Step

Key = tuple[str, str]


def broken(situation: Situation, found: Sequence) -> list[str]:
    """Return everything that a sequence breaks."""
    return list(_Walk(situation, found).faults())


class _Walk:
    def __init__(self, situation: Situation, found: Sequence) -> None:
        self.situation, self.found = situation, found
        self.here: dict[Key, Host] = {host.key: host for host in situation.hosts}
        self.empty: dict[Key, Step] = {}
        self.released: set[int] = set()
        self.moved: set[int] = set()
        self.nodes = [(pool.name, pool.cpu, pool.memory) for pool in situation.pools for _ in range(pool.nodes)]
        self.kinds = {pool.name: (pool.cpu, pool.memory) for pool in situation.pools}
        self.pods = list(situation.running)
        self.number = {wave.name: number for number, wave in enumerate(situation.waves)}
        self.today = {cluster: self.vcpus(cluster) for cluster in self.clusters()}
        self.cores = {cluster: self.least(host.cores for host in self.of(cluster)) for cluster in self.clusters()}
        self.had = {cluster: len(self.of(cluster)) for cluster in self.clusters()}

    def clusters(self) -> set[Key]:
        return {host.cluster for host in self.situation.hosts}

    def of(self, cluster: Key) -> list[Host]:
        return [host for host in self.here.values() if host.cluster == cluster]

    def guests(self, cluster: Key) -> list[Guest]:
        return [g for g in self.situation.guests if g.cluster == cluster and g.leaves not in self.released]

    def vcpus(self, cluster: Key) -> int:
        return sum(guest.vcpus or 0 for guest in self.guests(cluster) if guest.runs)

    @staticmethod
    def least(values: Iterable[int | None]) -> int:
        """Return what is left of a capacity when the largest part fails; a single part does not."""
        known = [value or 0 for value in values]
        return sum(known) - max(known) if len(known) > 1 else sum(known)

    def faults(self) -> Iterator[str]:
        for number, step in enumerate(self.found.steps):
            for fault in self.take(step):
                yield f"step {number} ({step.what} {step.host or step.wave}): {fault}"
        if self.moved != set(self.number.values()):
            yield "a phase never moves"
        left = {host.key for hosts in self.found.left.values() for host in hosts}
        if left != set(self.here):
            yield "what is left is not what the steps leave"

    def take(self, step: Step) -> Iterator[str]:
        if step.what == "moves":
            yield from self.move(self.number[step.wave])
        elif step.what == "released":
            yield from self.release(self.number[step.wave], step)
        elif step.what == "emptied":
            yield from self.leave(step)
        elif step.what == "joins":
            host = next(host for host in self.situation.hosts if host.key == step.host)
            if host.key not in self.empty:
                yield "it is not empty, or a node already"
            elif host.node is None:
                yield "it does not serve as a node"
            else:
                date, start = self.empty.pop(host.key).date, self.situation.waves[self.number[step.wave]].start
                if date is not None and start is not None and date > start:
                    yield "it may not go before the phase begins"
                self.nodes.append((host.node.name, host.node.cpu, host.node.memory))
                self.kinds[host.node.name] = (host.node.cpu, host.node.memory)
        elif step.what == "missing":
            self.nodes += [(step.pool, *self.kinds[step.pool])] * step.nodes

    def move(self, number: int) -> Iterator[str]:
        wave = self.situation.waves[number]
        if self.moved != set(range(number)):
            yield "another phase comes first"
        self.moved.add(number)
        load = [*self.pods, *wave.pods, *wave.converting]
        self.pods += wave.pods
        if not self.situation.pools or not wave.pods:
            return
        whole = 100 + self.situation.margins.headroom
        nodes = [(cpu * 100 // whole, memory * 100 // whole) for _, cpu, memory in self.nodes]
        for lost in range(len(nodes)):
            left = nodes[:lost] + nodes[lost + 1 :]
            for what, at in (("CPU", 0), ("memory", 1)):
                if sum(node[at] for node in left) < sum((pod.cpu, pod.memory)[at] for pod in load):
                    yield f"nodes lack {what} when one fails"
            if not any(packs(items, rooms) for items in orders(load) for rooms in (left, left[::-1], sorted(left))):
                yield "a VM finds no node when one fails"
        if not nodes:
            yield "there is no node"

    def release(self, number: int, step: Step) -> Iterator[str]:
        wave = self.situation.waves[number]
        if number not in self.moved:
            yield "it has not moved"
        until = None if wave.end is None else wave.end + wave.kept
        if step.date != until:
            yield f"its sources are kept until {until}"
        for other, each in enumerate(self.situation.waves):
            begins = until is not None and each.start is not None and other > number and each.start < until
            unknown = wave.kept > 0 and other > number and (until is None or each.start is None)
            if (begins or unknown) and other not in self.moved:
                yield f"{each.name} cuts over before that"
        self.released.add(number)

    def leave(self, step: Step) -> Iterator[str]:
        host = self.here.pop(step.host)
        self.empty[step.host] = step
        guests, hosts = self.guests(host.cluster), self.of(host.cluster)
        if any(guest.pinned and guest.host == host.key for guest in guests):
            yield "a VM cannot leave it"
        kept = [wave for number, wave in enumerate(self.situation.waves) if number in self.released]
        for wave in kept:
            if wave.end is None and step.date is not None:
                yield "it has a date, and nobody knows when a phase before it ends"
            if wave.end is not None and step.date is not None and step.date < wave.end + wave.kept:
                yield f"sources of {wave.name} are kept longer"
        if step.date is not None and any(start <= step.date < end for start, end in self.situation.changes):
            yield "another phase cuts over then"
        if guests:
            yield from self.reserve(host.cluster, hosts, guests)

    def reserve(self, cluster: Key, hosts: list[Host], guests: list[Guest]) -> Iterator[str]:
        if len(hosts) < 2:
            yield "no host may fail"
            return
        if any(guest.vsan for guest in guests) and len(hosts) < min(4, self.had[cluster]):
            yield "vSAN lacks hosts"
        run = [guest for guest in guests if guest.runs]
        if any(guest.memory is None for guest in run) or not all(host.memory for host in hosts):
            yield "sizes are unknown"
            return
        most = max(self.today[cluster] / self.cores[cluster], 1)  # vCPUs per core
        if self.vcpus(cluster) > most * self.least(h.cores for h in hosts) + 1e-9:
            yield "hosts have more vCPUs per core than today"
        for lost in hosts:
            left = [(0, host.memory) for host in hosts if host is not lost]
            if sum(memory for _, memory in left) < sum(guest.memory for guest in run):
                yield f"hosts lack memory when {lost.key} fails"
            elif not packs(
                [(0, memory) for memory in sorted((g.memory for g in run), reverse=True)], sorted(left)[::-1]
            ):
                yield f"a VM finds no host when {lost.key} fails"


def orders(load: list[Pod]) -> Iterator[list[tuple[int, int]]]:
    """Yield orders in which VMs are tried: the largest by memory, by CPU, by mixtures of both, and then by chance."""
    for weight in (0, 1, 4, 7, 8, 9, 16, 1 << 20):  # GiB per CPU
        largest = sorted(load, key=lambda pod: max(pod.memory / (1 << 30), pod.cpu * weight / 1000), reverse=True)
        yield [(pod.cpu, pod.memory) for pod in largest]
    chance = random.Random(0)
    for _ in range(2000):
        mixed = sorted(load, key=lambda pod: pod.memory * chance.uniform(0.5, 1), reverse=True)
        yield [(pod.cpu, pod.memory) for pod in mixed]


def packs(items: list[tuple[int, int]], rooms: list[tuple[int, int]]) -> bool:
    """Return whether all items find room, each in the first that has it."""
    free = [list(room) for room in rooms]
    for cpu, memory in items:
        room = next((room for room in free if room[0] >= cpu and room[1] >= memory), None)
        if room is None:
            return False
        room[0] -= cpu
        room[1] -= memory
    return True
