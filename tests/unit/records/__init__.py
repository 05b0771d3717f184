"""Tests of medperf_git.records."""
