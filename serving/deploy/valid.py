"""Objects are held against Kubernetes' schemas, strictly and offline, before any is applied."""

from collections.abc import Callable, Iterable
from typing import Any

from packaging.version import Version

from serving.deploy.manifests import Object
from training.errors import UserError

_SHOWN = 200


def check(
    objects: Iterable[Object], version: Callable[[], str], say: Callable[[str], None]
) -> None:
    """Refuse objects with a field that Kubernetes does not know, or a value that it cannot take.

    Those of kinds that are installed into a cluster have no schema here; the cluster checks them.

    Parameters
    ----------
    objects : iterable of dict
    version : callable
        That of the cluster, such as `1.31`; '' for the newest that there are schemas of.
    say : callable
        Told where there are no schemas at all.

    Raises
    ------
    UserError
        One is not as it must be: which, and where in it.
    """
    try:
        import kubernetes_validate as schemas
    except ImportError:  # the schemas take 70 MB
        say("the objects are not checked offline: pip install 'sixfold[kubernetes]'")
        return
    chosen = _nearest(version(), schemas.utils.all_versions())
    for item in objects:
        try:
            schemas.validate(item, chosen, strict=True)
        except schemas.SchemaNotFoundError:
            continue
        except schemas.ValidationError as error:
            name, field = item["metadata"]["name"], _way(error.absolute_path)
            raise UserError(
                f"expected objects that Kubernetes {chosen} takes, got {item['kind']} {name}, "
                f"{field}: {error.message[:_SHOWN]}; correct the file in deploy/ that says so"
            ) from None


def _nearest(version: str, known: list[str]) -> str:
    """The newest of those that are not newer than the version; the oldest if all are."""
    minors = [known_version.rpartition(".")[0] for known_version in known]
    if not version:
        return minors[-1]
    return max(
        (m for m in minors if Version(m) <= Version(version)), key=Version, default=minors[0]
    )


def _way(steps: Iterable[Any]) -> str:
    """Where in an object, as `spec.template.spec.containers[0].image`."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
    return "".join(parts).lstrip(".") or "at the top"
