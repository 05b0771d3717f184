"""One fuzz harness over everything that is read from outside: `python -m tests.fuzz --seconds 60`."""
