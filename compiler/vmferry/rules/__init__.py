"""Lint rules over the Blueprint."""
