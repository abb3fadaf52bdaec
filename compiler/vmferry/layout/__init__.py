"""What the compiled tree is like on disk: locks, owners, names of files, objects in them."""
