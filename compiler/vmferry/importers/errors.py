"""The one error of all importers: the command line turns it into a message and an exit code in one place."""


class ImporterError(Exception):
    """A source that cannot be imported. The text says what is wrong, where, and what to do."""
