"""Verification of a compiled tree: it must build, and match schemas, references, patches and locks."""
