"""The compiled tree on disk: locks, owners, file names, and the objects in files."""
