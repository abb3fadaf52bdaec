"""Questions that several stages ask about VMs and their surroundings, each answered in one place."""
