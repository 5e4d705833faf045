"""What the serving base image is made of."""

import ast
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docker.errors import ImageNotFound

from serving.base import PYTHON, base_image, base_name, context, fingerprint


def test_the_base_holds_the_server_and_the_reader_of_the_schema_only() -> None:
    code = {Path(name) for name in context() if name.startswith("code/")}
    assert Path("code/training/schema.py") in code
    assert Path("code/serving/server/__init__.py") in code
    assert not [path for path in code if "__pycache__" in path.parts]
    others = {path for path in code if path.parts[1:3] != ("serving", "server")}
    assert others == {
        Path("code") / name
        for name in (
            "serving/__init__.py",
            "training/__init__.py",
            "training/missing.py",
            "training/schema.py",
        )
    }


def test_the_code_in_the_base_imports_nothing_that_is_not_there() -> None:
    """Of this project only what is in the base; of packages only those of its locks.

    `pipeline.py` is imported for models alone that bring training's modules and theirs, `pyfunc.py`
    and what is called after it for those whose image has MLflow.
    """
    files = context()
    locks = b"".join(text for name, text in files.items() if name.endswith(".lock"))
    names = re.findall(r"^([a-z0-9-]+)==", locks.decode(), re.M)
    locked = {name.replace("-", "_") for name in names} | {"opentelemetry", "arro3"}
    for name, text in files.items():
        if not (name.startswith("code/") and name.endswith(".py")) or name.endswith("/pipeline.py"):
            continue
        there = locked | {"mlflow", "pandas"} if "/pyfunc" in name else locked
        for module in _imported(ast.parse(text)):
            top = module.partition(".")[0]
            if top in ("training", "serving"):
                path = "code/" + module.replace(".", "/")
                assert f"{path}.py" in files or f"{path}/__init__.py" in files, (name, module)
            else:
                assert top in sys.stdlib_module_names or top in there, (name, module)


def test_a_base_that_is_there_is_found_by_its_name() -> None:
    python = SimpleNamespace(id="sha256:0", attrs={"Os": "linux", "Architecture": "amd64"})
    there: dict[str, Any] = {PYTHON: python}

    def get(name: str) -> Any:
        if name not in there:
            raise ImageNotFound(name)
        return there[name]

    engine = SimpleNamespace(images=SimpleNamespace(get=get))
    names = {slim: base_name(engine, "linux/amd64", slim=slim) for slim in (False, True)}
    assert len({*names.values()}) == 2
    for slim, name in names.items():
        there[name] = built = SimpleNamespace()
        assert base_image(engine, "linux/amd64", slim=slim, say=print) is built
    python.id = "sha256:1"
    assert base_name(engine, "linux/amd64", slim=True) not in names.values()


def test_the_fingerprint_changes_with_any_file() -> None:
    files = context()
    before = fingerprint(files, ["slim"])
    assert before == fingerprint(dict(reversed(files.items())), ["slim"])
    others = [fingerprint({**files, name: files[name] + b"\n"}, ["slim"]) for name in files]
    others += [fingerprint(files, ["mlflow"]), before]
    assert len(set(others)) == len(files) + 2


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            found.add(str(node.module))
    return found
