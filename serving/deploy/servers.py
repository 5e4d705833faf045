"""Which servers there are, by what the engine's name server says: the stable one and a canary.

Runs in the front's container, ahead of `forward.py`. The stable server is whose name is that of the
deployment. A canary has some percent of the predictions: its container is called NAME-canary-10. As
every server has the alias NAME-servers, that is all there is to know, and nothing else has to be
kept in step with it. Where names are not given out by us, as in a Compose file, it is told the
canary's name and share.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from random import random
from typing import TypeVar

#: A name's address counts for so long; who changes it waits longer before the old server ends.
_FRESH = 0.2
#: How long the name server may take, before the address that was last is taken.
_LOOKUP = 2.0
#: How often a canary is looked for; who changes names waits longer here too.
_LOOK = 0.5
#: How long a connection waits for a server that listens: one that restarts is back by then.
_PATIENCE = 20.0
#: How long it waits for a canary, before the stable server gets its request.
_CANARY_PATIENCE = 2.0
#: How long a canary may take to say that it is ready.
_READY_PATIENCE = 5.0
PAUSE = 0.05
_IS_READY = b"GET /readyz HTTP/1.1\r\nhost: canary\r\nconnection: close\r\n\r\n"

AProtocol = TypeVar("AProtocol", bound=asyncio.Protocol)


def servers_of(name: str) -> str:
    """The alias of all servers of a deployment."""
    return f"{name}-servers"


def canary_of(name: str, share: int) -> str:
    """What a canary's container is called."""
    return f"{name}-canary-{share}"


def share_of(name: str, container: str) -> int:
    """The share of a canary by its container's name, in percent; 0 for another container."""
    found = re.fullmatch(re.escape(name) + r"-canary-(\d\d?)", container)
    return int(found[1]) if found else 0


class Stable:
    """The server that has the name, and the address that it had last.

    Parameters
    ----------
    name : str
    port : int
        Where it listens.
    """

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port
        self._address = ""
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def connect(self, protocol: Callable[[], AProtocol]) -> AProtocol | None:
        """A connection to it; None if nobody has listened for long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while True:
            with suppress(OSError):
                host = await self._find()
                return (await loop.create_connection(protocol, host, self._port))[1]
            self._asked = float("-inf")  # nobody listens there
            if loop.time() > until:
                return None
            await asyncio.sleep(PAUSE)

    async def _find(self) -> str:
        """The address; the last one while the name is nobody's.

        Raises
        ------
        OSError
            It has never been anybody's.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() - self._asked > _FRESH:
                try:
                    async with asyncio.timeout(_LOOKUP):
                        self._address = (await _addresses(self._name))[0]
                except OSError:
                    if not self._address:
                        raise
                self._asked = loop.time()  # those who have waited for the answer share it
            return self._address


class Canary:
    """The canary that is there, and whose turn it is.

    Parameters
    ----------
    name : str
        Of the deployment.
    port : int
        Where it listens.
    host : str, default ''
        Its own name, where that is known.
    share : int, default 0
        The share of the one with that name.

    Attributes
    ----------
    address : str
        '' while there is none that is ready.
    share : int
        Of the predictions, in percent.
    """

    def __init__(self, name: str, port: int, host: str = "", share: int = 0) -> None:
        self._name = name
        self._port = port
        self._told = (host, share)
        self._owed = 0
        self.address = ""
        self.share = 0

    def turn(self) -> str:
        """The canary's address if the next prediction is its; '' if not.

        Its part of any number of predictions is its share, to one more or less. Which ones is left
        to chance: who asks in a pattern would meet the same version in the same place each time.
        """
        if not self.address:
            return ""
        self._owed += self.share
        if self._owed <= 100 * random():  # noqa: S311  nothing secret
            return ""
        self._owed -= 100
        return self.address

    async def connect(self, address: str, protocol: Callable[[], AProtocol]) -> AProtocol | None:
        """A connection to it; None where it does not listen, and it has no turn until it does."""
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            async with asyncio.timeout(_CANARY_PATIENCE):
                return (await loop.create_connection(protocol, address, self._port))[1]
        if self.address == address:  # the next one may be there already
            self.address = ""
        return None

    async def watch(self) -> None:
        """Look for it, again and again."""
        there, look = "", asyncio.create_task(self._ask(""))
        while True:
            before = there
            there, self.share = await self._find()
            if there != before:  # has no more turns, however long it or the next takes to answer
                look.cancel()
                self.address = ""
            if there != before or look.done():
                look = asyncio.create_task(self._ask(there))
            await asyncio.sleep(_LOOK)

    async def _ask(self, address: str) -> None:
        """Give it turns if it is ready."""
        is_ready = bool(address) and await self._is_ready(address)
        self.address = address if is_ready else ""

    async def _find(self) -> tuple[str, int]:
        """Who is called a canary, ready or not."""
        host, told = self._told
        with suppress(OSError):
            if host:
                return (await _addresses(host))[0], told
            for address in await _addresses(servers_of(self._name)):
                if share := await self._share(address):
                    return address, share
        return "", 0

    async def _share(self, address: str) -> int:
        """By its name, which comes with that of the network: `NAME-canary-10.NETWORK`."""
        loop = asyncio.get_running_loop()
        try:
            found, _ = await loop.getnameinfo((address, self._port), socket.NI_NAMEREQD)
        except OSError:  # it has just gone
            return 0
        return share_of(self._name, found.partition(".")[0])

    async def _is_ready(self, address: str) -> bool:
        with suppress(OSError):
            async with asyncio.timeout(_READY_PATIENCE):
                reader, writer = await asyncio.open_connection(address, self._port)
                try:
                    writer.write(_IS_READY)
                    return (await reader.read(100)).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        return False


async def _addresses(name: str) -> list[str]:
    """Who has a name, or an alias.

    Raises
    ------
    OSError
        Nobody has.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    return [str(item[4][0]) for item in found]
