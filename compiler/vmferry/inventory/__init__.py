"""Importers: what vCenter or RVTools says, as an inventory."""
