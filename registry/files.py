"""Whether a version's files are those that were registered."""

import json
from collections.abc import Mapping

from registry.version import DIGEST, FILES, Version
from training.digests import digest_of


def wrong_files(version: Version, found: Mapping[str, str]) -> str:
    """What is wrong with a version's files, in one sentence; '' if nothing.

    Parameters
    ----------
    version : Version
        Its tags hold the digests recorded at registration.
    found : mapping of str to str
        Digests of the downloaded files, see `training.digests.file_digests`.
    """
    if FILES not in version.tags or DIGEST not in version.tags:
        return (
            f"{version.name} was registered without digests of its files, so nothing tells whether "
            f"they are complete; `sixfold register {version.model} --run RUN` registers it anew."
        )
    recorded: dict[str, str] = json.loads(version.tags[FILES])
    if digest_of(recorded) != version.tags[DIGEST]:
        return f"The digests in the tags of {version.name} do not agree with each other."
    common = recorded.keys() & found.keys()
    for what, names in (
        ("missing", recorded.keys() - found.keys()),
        ("not registered", found.keys() - recorded.keys()),
        ("changed", {name for name in common if recorded[name] != found[name]}),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return (
                f"Of the {len(recorded)} registered files of {version.name}, {min(names)}{more} "
                f"{'is' if len(names) == 1 else 'are'} {what}."
            )
    return ""
