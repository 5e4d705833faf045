"""A deployment's networks on this engine: removed, unless somebody else is on one."""

from collections.abc import Callable
from typing import Any

_IN_USE = 403


def remove_networks(engine: Any, say: Callable[[str], None], **chosen: Any) -> list[str]:
    """Remove networks; which, in words.

    Parameters
    ----------
    engine : DockerClient
    say : callable
        Told of one that stays, as a container is on it.
    **chosen
        Of the client's own `networks.list`.
    """
    from docker.errors import APIError

    gone = []
    for network in engine.networks.list(**chosen):
        try:
            network.remove()
        except APIError as error:
            if error.status_code != _IN_USE:
                raise
            network.reload()  # a list does not say who is on it
            users = (network.attrs.get("Containers") or {}).values()
            names = ", ".join(sorted(user["Name"] for user in users)) or "a container"
            say(
                f"network {network.name} stays: {names} is on it; `docker network rm "
                f"{network.name}` removes it then"
            )
        else:
            gone.append(f"network {network.name}")
    return gone
