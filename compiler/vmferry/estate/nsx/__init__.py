"""NSX's segments and firewall, for networks that move: which segment is which network, and which rules touch it."""
