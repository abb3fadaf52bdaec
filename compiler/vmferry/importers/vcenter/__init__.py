"""The importer of a live vCenter: one session, two traversals, read-only."""
