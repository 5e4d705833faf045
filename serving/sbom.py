"""What is in an image, as a CycloneDX document: Python's packages and the system's."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.base import INVENTORY, read_file
from serving.image import PLATFORM
from serving.labels import LICENCES, PATH, VERSION
from serving.licences import PYTHON, Package, read_inventory
from serving.pipeline_image import MODEL_INVENTORY
from training.errors import UserError
from training.tracking import first_line

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from mlflow import MlflowClient

    from registry.version import Version

#: What the system's packages are known by; it stays in the image, for scanners.
_STATUS = "/var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Version|Architecture): (.+)$", re.MULTILINE)


def sbom(engine: Any, image: Any, model: str, created: float) -> str:
    """List an image's components.

    Parameters
    ----------
    engine : DockerClient
    image : Image
    model : str
        What the image is called in the document.
    created : float
        The document's time: the same image has the same document.

    Returns
    -------
    str
        JSON of CycloneDX 1.6.
    """
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    labels = image.labels
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image.id))
    bom.metadata.timestamp = datetime.fromtimestamp(created, UTC)
    bom.metadata.component = Component(
        name=model,
        version=labels[VERSION],
        type=ComponentType.CONTAINER,
        bom_ref=f"image:{image.id}",
        licenses=[_licence(labels[LICENCES])],
    )
    files = [INVENTORY] if labels[PATH] == "onnx" else [INVENTORY, MODEL_INVENTORY]
    inventory = read_inventory(*(read_file(engine, image.id, file) for file in files))
    bom.components.update(map(_package, inventory.packages))
    status = read_file(engine, image.id, _STATUS).decode(errors="replace")
    bom.components.update(_system(status))
    if not _has_python(status, inventory.python):
        bom.components.add(_python(inventory.python))
    bom.register_dependency(bom.metadata.component, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1)


def file_name(version: "Version", platform: str, slim: bool) -> str:
    """What the list of an image is called in its version's run: `churn-7-slim.cdx.json`."""
    parts = [version.model, version.version]
    parts += ["slim"] if slim else []
    parts += [platform.replace("/", "-")] if platform != PLATFORM else []
    return f"{'-'.join(parts)}.cdx.json"


def keep(
    client: "MlflowClient", run_id: str, listed: str, name: str, say: Callable[[str], None]
) -> None:
    """Keep the list of what is in an image among the artifacts of its version's run."""
    if not run_id:
        say("the version has no run in which its image's list of components could be kept")
        return
    try:
        client.log_text(run_id, listed, f"serving/{name}")
    # MLflow's own, requests' or boto3's: who may build an image need not be let write to the run.
    except Exception as error:  # noqa: BLE001
        say(f"the image's list of components is not kept in its run: {first_line(error)}")


def check_file(file: str) -> None:
    """Whether the file that --sbom names can be written to; nothing is in it yet.

    Raises
    ------
    UserError
        It cannot.
    """
    if not file:
        return
    path = Path(file).resolve()  # what a link is to
    was_there = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise UserError(
            f"expected a file to write to with --sbom, got {file!r}: {error.strerror}; name "
            "another one"
        ) from None
    if not was_there:
        path.unlink()


def _package(package: Package) -> "Component":
    from packageurl import PackageURL

    purl = PackageURL("pypi", None, package.name.lower().replace("_", "-"), package.version)
    return _component(package.name, package.version, purl, [_licence(package.licence)])


def _has_python(status: str, version: str) -> bool:
    """Whether Python is one of the system's packages, as it is not in Docker's own images of it."""
    name = f"python{'.'.join(version.split('.')[:2])}"
    return f"Package: {name}\n" in status or f"Package: {name}-minimal\n" in status


def _python(version: str) -> "Component":
    from packageurl import PackageURL

    component = _component(
        "python", version, PackageURL("generic", None, "python", version), [_licence(PYTHON)]
    )
    # Scanners know it by this one.
    component.cpe = f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*"
    return component


def _system(status: str) -> Iterator["Component"]:
    from packageurl import PackageURL

    for entry in status.split("\n\n"):
        found = dict(_FIELD.findall(entry))
        if "Package" in found:
            name, version = found["Package"], found.get("Version", "")
            place = {"arch": found.get("Architecture", "")}
            yield _component(name, version, PackageURL("deb", "debian", name, version, place), [])


def _component(name: str, version: str, purl: Any, licences: list[Any]) -> "Component":
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=licences,
    )


def _licence(expression: str) -> Any:
    """As it stands: the library's own check knows no `LicenseRef-…`."""
    from cyclonedx.model.license import LicenseExpression

    return LicenseExpression(expression)
