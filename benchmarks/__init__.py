"""Sixfold's speed, measured: `python -m benchmarks` (see README.md beside this file)."""
