"""Reads what an admin saved of the Policy API of an NSX Manager."""
