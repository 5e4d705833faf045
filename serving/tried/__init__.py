"""Runs inside a serving image that is tried: the standard library alone."""
