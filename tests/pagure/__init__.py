"""Through a whole real forge."""
