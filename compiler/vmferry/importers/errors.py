"""The common error of all importers, which the command line turns into a message and an exit code."""


class ImporterError(Exception):
    """A source that cannot be imported. The text says what is wrong, where, and what to do."""
