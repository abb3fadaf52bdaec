"""Writing to disk: YAML, trees, locks, and the checks of compiled output."""
