"""A version goes to where it answers: Docker, Compose or Kubernetes, one file each."""
