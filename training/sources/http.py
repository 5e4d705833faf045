"""Tables behind http:// and https://."""

import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from training.errors import UserError

_TIMEOUT = (10.0, 120.0)  # seconds to connect, and between two pieces
_PIECE = 1 << 20
_NAME = 60  # characters: file systems take 255 bytes
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def fetch(source: str, folder: Path) -> Path:
    """Stream a file into the folder; proxies and CA bundles are those of the environment.

    Raises
    ------
    UserError
        The address is wrong, nobody answers, the answer is an error or breaks off.
    """
    import requests

    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise UserError(
            f"expected an address, got a wrong one ({error}); correct it after http://"
        ) from None
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    path = folder / (PurePosixPath(unquote(parts.path)).name[-_NAME:] or "table")
    # requests itself does not look at SSL_CERT_FILE.
    bundle = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    try:
        with (
            requests.get(source, stream=True, timeout=_TIMEOUT, verify=bundle or True) as answer,
            path.open("wb") as file,
        ):
            if not answer.ok:
                raise UserError(
                    f"expected a table at {shown}, got the answer {answer.status_code} "
                    f"{answer.reason}; check the address and its access rights"
                )
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
    except requests.ConnectionError as error:
        raise UserError(
            f"expected a table at {shown}, got no answer ({_reason(error)}); check the address, "
            f"the network and the proxy settings"
        ) from None
    except (requests.RequestException, OSError) as error:
        raise UserError(
            f"expected a table at {shown}, got a failed download ({_reason(error)}); try again"
        ) from None
    return path


def _reason(error: Exception) -> str:
    """The innermost cause in one line, without the address, which may hold credentials."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    text = str(inner) if "://" not in str(inner) else ""
    return " ".join(text.split())[:120] or type(inner).__name__
