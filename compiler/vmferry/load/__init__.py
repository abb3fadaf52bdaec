"""From files to the typed spec, every finding with its place."""
