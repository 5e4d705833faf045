"""Where a version comes from, as its image's labels say it: of whomever trained it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.received import COPIED_KIND, KIND
from registry.store import read_facts
from registry.version import Facts, Version
from training.tracking import is_absent

if TYPE_CHECKING:
    from mlflow import MlflowClient

_COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True)
class Origin:
    """What came before a version.

    Attributes
    ----------
    version : Version
    run_id : str
        '' if the version has no run.
    commit : str
        The git commit of what trained it; '' if unknown.
    candidate : str
        Its name on the leaderboard, or that somebody else has trained it.
    table : str
        Fingerprint of the training table; '' if unknown.
    """

    version: Version
    run_id: str
    commit: str
    candidate: str
    table: str

    @classmethod
    def of(cls, facts: Facts) -> "Origin":
        """That of a version that Sixfold has trained."""
        table = facts.schema.fingerprint
        return cls(facts.version, facts.run_id, facts.commit, facts.candidate, table)


def read_origin(client: "MlflowClient", version: Version) -> Origin:
    """Where a version comes from.

    Raises
    ------
    UserError
        Sixfold is still training it.
    MlflowException
        The store has not answered; that it has no such run is an answer.
    """
    from mlflow.exceptions import MlflowException

    try:
        tags = client.get_run(version.run_id).data.tags if version.run_id else {}
    except MlflowException as error:
        if not is_absent(error):
            raise
        tags = {}  # deleted, or another server's
    if KIND in tags or COPIED_KIND in tags:
        return Origin.of(read_facts(client, version))
    run_id = version.run_id if tags else ""
    return Origin(version, run_id, tags.get(_COMMIT, ""), "trained without Sixfold", "")
