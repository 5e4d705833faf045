"""Whole trainings in this process's environment: what a user sees and what MLflow holds."""
