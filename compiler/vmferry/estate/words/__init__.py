"""What words in names, folders, attributes and notes mean, and which of them may go into git."""
