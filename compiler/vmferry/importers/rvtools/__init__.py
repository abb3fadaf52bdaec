"""RVTools exports, .xlsx or .csv."""
