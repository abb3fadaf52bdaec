"""A whole migration simulated before its first VM moves: who copies when, who is down for how long, what fits.

Pure functions: `works` makes the work of each VM from a review, `engine` lets it run within the limits and windows
of `calendars`, and `forecast` asks it the questions of the report. docs/schedule.md has the rules and the arithmetic.
"""
