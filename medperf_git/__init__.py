"""Federated evaluation of medical AI with nothing to host but a Git repository."""

__version__ = "0.1.0"
