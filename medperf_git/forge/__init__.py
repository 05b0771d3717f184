"""How it travels: one port, and an adapter for each kind of place a registry can lie at."""
