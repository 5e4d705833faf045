"""A version to render."""

from serving.deploy.wanted import Release

CHURN = Release("churn", "3", "4340ac6f04224edc941749b28890d96c", "registry.example/churn:3")
