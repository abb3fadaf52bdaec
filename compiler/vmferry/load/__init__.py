"""From files to the typed spec, with the place of every finding."""
