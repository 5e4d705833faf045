"""The real services that tests need, each started on loopback and ended again.

One file a service: a context manager that starts it, and a session fixture over it.
"""
