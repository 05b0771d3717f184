"""Tests of medperf_git.signing."""
