"""How `make test` divides the tests between its processes."""

from xdist.scheduler import LoadFileScheduling

#: What uses the container engine, or looks at all that it holds.
_ENGINE = (
    "tests/e2e/",
    "tests/serving/test_engine.py",
    "tests/serving/test_python_image.py",
    "tests/test_setup.py",
)


class EngineInOrder(LoadFileScheduling):
    """One process for all that uses the container engine, in order; all else goes by its file."""

    def _split_scope(self, nodeid: str) -> str:
        return "engine" if nodeid.startswith(_ENGINE) else super()._split_scope(nodeid)
