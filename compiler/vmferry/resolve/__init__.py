"""Passes that make every decision, one module a question."""
