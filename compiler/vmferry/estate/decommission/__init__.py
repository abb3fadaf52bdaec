"""How ESXi hosts empty and become nodes: one order of steps that keeps the reserve of both sides at each of them."""
