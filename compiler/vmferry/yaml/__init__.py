"""Reading and writing YAML that every reader, 1.1 or 1.2, reads the same way."""
