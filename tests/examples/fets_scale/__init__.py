"""The simulated challenge of the size of FeTS 2022."""
