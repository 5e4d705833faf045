"""The token that a request has to bring, where the server has one."""

import hmac

from serving.server.errors import Refused


def check_token(headers: dict[bytes, bytes], token: bytes) -> None:
    """Refuse a request without it.

    Raises
    ------
    Refused
        401.
    """
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), token):
        raise Refused(
            401,
            "token",
            "expected the server's token as authorization: Bearer TOKEN",
            [(b"www-authenticate", b"Bearer")],
        )
