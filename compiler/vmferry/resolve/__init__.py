"""Passes that make all decisions, one module per question."""
