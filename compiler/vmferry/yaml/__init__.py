"""One language, read and written in one place: YAML that every reader, 1.1 or 1.2, takes for the same."""
