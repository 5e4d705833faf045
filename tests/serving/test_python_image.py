"""The Python image of a platform is pulled, and never becomes the one that training starts from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from serving import base
from serving import engine as engines
from tests.services.image_registry import handing_out
from training.errors import UserError

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine() -> Any:
    return engines.connect()


@pytest.fixture(scope="module")
def here(engine: Any) -> str:
    """The engine's own platform."""
    about = engine.version()
    return f"{about['Os']}/{about['Arch']}"


@pytest.fixture(scope="module")
def there(here: str) -> str:
    """Another one."""
    return "linux/s390x" if here != "linux/s390x" else "linux/amd64"


@contextmanager
def registry(engine: Any, platforms: Sequence[str]) -> Iterator[None]:
    """Have `python:3.11-slim` come from a registry that has it for some platforms."""
    with handing_out(platforms) as host, pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "PYTHON", f"{host}/python:3.11-slim")
        try:
            yield
        finally:
            for image in engine.images.list(f"{host}/python"):
                for name in image.tags:
                    engines.remove(engine, name)


def platform_of(engine: Any, name: str) -> str:
    """Of the image of a name; '' if there is none."""
    images = engine.images.list(name)
    return "/".join(images[0].attrs[part] for part in ("Os", "Architecture")) if images else ""


def test_the_engines_own_is_called_so(engine: Any, here: str, there: str) -> None:
    with registry(engine, [here, there]):
        assert base.python_image(engine, here) == base.PYTHON
        assert platform_of(engine, base.PYTHON) == here
        assert base.python_image(engine, here) == base.PYTHON


@pytest.mark.parametrize("is_here_first", [False, True])
def test_another_platforms_has_a_name_of_its_own(
    engine: Any, here: str, there: str, is_here_first: bool
) -> None:
    with registry(engine, [here, there]):
        if is_here_first:
            base.python_image(engine, here)
        name = base.python_image(engine, there)
        assert name == f"{base.PYTHON}-{there.replace('/', '-')}"
        assert platform_of(engine, name) == there
        assert platform_of(engine, base.PYTHON) == (here if is_here_first else "")
        assert base.python_image(engine, there) == name


def test_what_a_registry_hands_out_instead_is_not_kept(engine: Any, here: str, there: str) -> None:
    with registry(engine, [there]):
        with pytest.raises(UserError, match=rf"for {here}, got none here.*docker load"):
            base.python_image(engine, here)
        assert not platform_of(engine, base.PYTHON)
