"""A file that a person may have made is replaced as a whole, or stays as it was."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_whole(path: Path, text: str) -> None:
    """Write a text file, with the rights and the owner of the one that is there.

    Raises
    ------
    OSError
        It cannot be written; the one that is there is as it was.
    """
    target = path.resolve()  # of a link it is the file that is replaced
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}-", delete=False
    ) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.flush()
            if target.exists():
                facts = target.stat()
                with suppress(PermissionError):  # its owner is another
                    os.chown(part, facts.st_uid, facts.st_gid)
                shutil.copymode(target, part)
            else:
                part.chmod(0o666 & ~_umask())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
