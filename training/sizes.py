"""Amounts of memory and disk as people write them."""

import re

from training.errors import UserError

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_SIZE = re.compile(r"\s*(\d{1,15})(\.\d{1,15})?\s*(?:([kmgt])i?)?b?\s*", re.ASCII)
#: What no machine has, and every interface that limits take still can hold.
_MOST = 1024 << 40


def parse_size(text: str, option: str, least: int) -> int:
    """Bytes from `2g`, `512M`, `1.5GiB` or a plain number of bytes.

    Parameters
    ----------
    text : str
    option : str
        Where it comes from, for the message.
    least : int
        Bytes; whole mebibytes.

    Returns
    -------
    int

    Raises
    ------
    UserError
        Not such a text, or not from `least` to 1024t.
    """
    match = _SIZE.fullmatch(text.lower())
    size = int(float(match[1] + (match[2] or "")) * 2 ** _UNITS[match[3] or ""]) if match else -1
    if not least <= size <= _MOST:
        raise UserError(
            f"expected {option} from {least >> 20}m to 1024t, got {text!r}; write e.g. 512m or 2g"
        )
    return size
