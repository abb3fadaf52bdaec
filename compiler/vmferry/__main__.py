"""`python -m vmferry`."""

from vmferry.cli import run

run()
