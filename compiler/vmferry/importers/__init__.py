"""From vCenter or its exports to inventories: one package a source."""
