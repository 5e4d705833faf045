"""Every way to refuse a request, in one shape: status, words for people, a word for machines.

An answer never repeats what a request held. Columns are named only if the schema has them.
"""

#: What `/metrics` counts errors by.
KINDS = (
    *("json", "format", "columns", "rows", "params", "csv", "body_size", "row_limit"),
    *("content_type", "token", "method", "path", "http", "busy", "time", "draining", "internal"),
    *("signature", "model"),
)

#: Words of MLflow's `ErrorCode`: its clients know no others.
_WORDS = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    405: "MALFORMED_REQUEST",
    413: "RESOURCE_LIMIT_EXCEEDED",
    415: "MALFORMED_REQUEST",
    431: "RESOURCE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}

Headers = list[tuple[bytes, bytes]]

#: Tells a client that its connection ends with this answer.
CLOSE = (b"connection", b"close")


class Refused(Exception):
    """A request that is not answered as asked.

    Parameters
    ----------
    status : int
        HTTP status.
    kind : str
        One of `KINDS`.
    message : str
        What was expected and what came, without any value of the request.
    headers : list of (bytes, bytes), optional
        Such as Allow, Retry-After, WWW-Authenticate.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = headers or []

    def bare(self) -> "Refused":
        """The same, without a trace of where it comes from."""
        return Refused(self.status, self.kind, self.message, self.headers)

    def record(self) -> dict[str, str]:
        """The answer's body: MLflow's clients read the first two, those of V2 the last."""
        return {
            "error_code": _WORDS[self.status],
            "message": self.message,
            "error": self.message,
        }


class Unservable(Exception):
    """The server cannot start; the message is one line for its operator."""


def where(error: BaseException) -> str:
    """The kind of an error and the line it comes from, without its message, which may hold data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    code = trace.tb_frame.f_code
    return f"{type(error).__name__} in {code.co_qualname}, line {trace.tb_lineno}"


def bad_request(kind: str, message: str) -> Refused:
    """A request that will be wrong however often it is sent."""
    return Refused(400, kind, message)


def unavailable(kind: str, message: str, seconds: int = 1) -> Refused:
    """A request that may be sent again after some seconds."""
    return Refused(503, kind, message, [(b"retry-after", b"%d" % seconds)])
