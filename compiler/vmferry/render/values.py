"""Values of reports as people read them, each in the unit of its column."""

from vmferry.estate.wording import duration, size
from vmferry.model.report import Cell, Column, Unit, Value, value_of

SUFFIXES = {"bytes": "bytes", "seconds": "seconds", "percent": "percent"}
"""Units whose raw numbers need their unit in the heading."""


def shown(cell: Cell | Value, unit: Unit = "text") -> str:
    """Return a value as people read it; "" for one that is unknown."""
    value = value_of(cell)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("T", " ", 1) if unit == "time" else value
    match unit:
        case "bytes":
            return size(int(value))
        case "seconds":
            return duration(value)
        case "percent":
            return f"{value:.0f} %"
        case "money":
            return f"{value:,.2f}".removesuffix(".00")
        case "decimal":
            return f"{value:.1f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def raw(cell: Cell | Value) -> str | int | float:
    """Return a value for a spreadsheet, which calculates with it: numbers without their unit; "" for an unknown one."""
    value = value_of(cell)
    return "" if value is None else value


def heading(column: Column) -> str:
    """Return the heading of a column of raw values: with the unit, where the numbers do not show it."""
    suffix = SUFFIXES.get(column.unit)
    return f"{column.name} ({suffix})" if suffix else column.name
