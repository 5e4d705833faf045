"""Constant requests from clients of both kinds, each answer looked at."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Load:
    """What came of the requests.

    Attributes
    ----------
    answers : Counter
        Right answers by the version that gave them.
    failures : list of str
        All else.
    """

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def total(self) -> int:
        return sum(self.answers.values())


@contextmanager
def load(
    host: str, port: int, body: Any, clients: int = 4, headers: Mapping[str, str] | None = None
) -> Iterator[Load]:
    """Send requests for the length of a `with` block.

    Half of the clients keep their connections for as long as the server lets them, the others open
    one a request.
    """
    found, ended = Load(), threading.Event()
    text = json.dumps(body)
    sent = {"Content-Type": "application/json", **(headers or {})}

    def ask(keeps: bool) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        while not ended.is_set():
            try:
                connection.request("POST", "/invocations", text, sent)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == 200 and json.loads(content)["predictions"]:
                    found.answers[answer.getheader("sixfold-version", "?")] += 1
                else:
                    found.failures.append(f"{answer.status} {content[:200]!r}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                found.failures.append(f"{type(error).__name__}: {error}")
                connection.close()
            if not keeps:
                connection.close()

    threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()
