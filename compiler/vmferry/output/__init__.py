"""What reaches the disk: YAML, trees, locks, and the checks of compiled output."""
