"""Shows results to people: text, Markdown, CSV, HTML. It decides nothing, and escapes every name."""
