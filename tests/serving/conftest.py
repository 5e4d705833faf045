"""The registry of the registry's own tests."""

from tests.registry.conftest import registry, three_versions

__all__ = ["registry", "three_versions"]
