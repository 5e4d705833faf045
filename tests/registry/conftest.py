"""Fixtures of the registry's tests."""

from tests.registry.copies import source, target

__all__ = ["source", "target"]
