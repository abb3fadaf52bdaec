"""`python -m vmferry`."""

from vmferry.cli import program

program()
