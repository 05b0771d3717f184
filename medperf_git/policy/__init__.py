"""What is allowed: (before, after) → findings; one tuple of rules; no clock, disk or network."""
