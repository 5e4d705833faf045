"""Makes the webhook on the tracking server that tells a receiver of aliases."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from registry.delivery import ALIAS_SET
from training.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.webhook import Webhook

_NAME = "sixfold-watch"
#: Part of what the server says -> what to do.
_MENDED = (
    ("scheme", "give an https address, or set MLFLOW_WEBHOOK_ALLOWED_SCHEMES there"),
    ("non-public", "give a public address, or set MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true there"),
    (
        "500 error",
        "it cannot read the secrets of its webhooks: set MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY "
        "there to what it was when they were made",
    ),
    ("403", "only an administrator may make webhooks"),
    ("ermission", "only an administrator may make webhooks"),
)


def register_webhook(url: str, secret: str, say: Callable[[str], None]) -> str:
    """Make the webhook, or give the one with this address the secret, and let MLflow try it.

    Parameters
    ----------
    url : str
        Where the tracking server reaches the receiver.
    secret : str
    say : callable
        Takes one line.

    Returns
    -------
    str
        The webhook's id.

    Raises
    ------
    UserError
        The server does not take it; the message says which of its settings would let it.
    """
    from mlflow.exceptions import MlflowException

    from registry.store import connect
    from training.tracking import location

    if not _is_address(url):
        raise UserError(
            f"expected the address of this receiver for --register, got {url!r}; e.g. "
            "https://hooks.example.com/"
        )
    if urlsplit(location()).scheme not in ("http", "https"):
        raise UserError(
            f"expected an MLflow server, got {location()}: only a server sends webhooks; set "
            "MLFLOW_TRACKING_URI"
        )
    client = connect()
    try:
        webhook, made = _make(client, url, secret)
        result = client.test_webhook(webhook.webhook_id)
    except MlflowException as error:
        raise UserError(_explained(url, str(error))) from None
    what = "made" if made else "was there; its secret is set anew"
    if result.success:
        say(f"the webhook {webhook.name} to {url} {what}; MLflow reaches this receiver")
    else:
        said = result.error_message or f"status {result.response_status}"
        say(f"the webhook {webhook.name} to {url} {what}, but MLflow's test of it failed: {said}")
    return str(webhook.webhook_id)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _make(client: "MlflowClient", url: str, secret: str) -> "tuple[Webhook, bool]":
    from mlflow.entities.webhook import WebhookEvent

    event, token = WebhookEvent.from_str(ALIAS_SET), None
    while True:
        page = client.list_webhooks(max_results=100, page_token=token)
        for webhook in page:
            if webhook.url == url and event in webhook.events:
                changed = client.update_webhook(webhook.webhook_id, secret=secret, status="ACTIVE")
                return changed, False
        token = page.token
        if not token:
            break
    return client.create_webhook(_NAME, url, [event], secret=secret), True


def _explained(url: str, said: str) -> str:
    first = (said.strip().splitlines() or ["no reason"])[0][:300]
    how = next((how for part, how in _MENDED if part in said), "see docs/promotion.md, Webhooks")
    return f"expected a webhook to {url} on the tracking server, got {first}; {how}"
