"""Reports for people who plan: what the rules and the Blueprint say, counted. Each is a module."""
