"""Runs inside a serving image, where Sixfold is not: the standard library alone."""

from pathlib import Path

_SCRIPT = """
import sys, types
for name, text in {texts}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))
sys.exit(module.main(*sys.argv[1:]))
"""
_RUN = ("asking", "sample", "formats", "example", "run")
_SMOKE = ("asking", "sample", "smoke")


def run_script() -> str:
    """`run.py` and what it imports, as a text for `python -c`."""
    return _script(_RUN)


def smoke_script() -> str:
    """`smoke.py` and what it imports, as a text for `python -c`."""
    return _script(_SMOKE)


def _script(names: tuple[str, ...]) -> str:
    """Modules of this package, each after those that it imports; `main` is the last one's."""
    folder = Path(__file__).parent
    texts = [(f"serving.tried.{name}", (folder / f"{name}.py").read_text()) for name in names]
    return _SCRIPT.format(texts=texts)
