"""Whether a compiled tree holds together: it builds, and schemas, references, patches and locks agree with it."""
