"""Durations in Go's format, which has no days, as used by Flux, Argo CD and External Secrets."""

from vmferry.kube.quantity import parse_duration


def go_duration(text: str) -> str:
    """Return a duration of a spec such as ``1d`` in hours, minutes and seconds: ``24h``.

    Raises ValueError for an invalid duration.
    """
    seconds = parse_duration(text)
    parts = (("h", seconds // 3600), ("m", seconds % 3600 // 60), ("s", seconds % 60))
    return "".join(f"{number}{unit}" for unit, number in parts if number) or "0s"
