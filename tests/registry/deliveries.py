"""Deliveries as MLflow's server makes them: its own functions sign them."""

import json
import time
import uuid
from datetime import UTC, datetime

from mlflow.webhooks.delivery import _generate_hmac_signature

SECRET = "a secret of the tests alone"


def signed(
    body: str, secret: str = SECRET, at: float | None = None, delivery: str = ""
) -> dict[str, str]:
    """The headers of a delivery."""
    delivery = delivery or str(uuid.uuid4())
    timestamp = str(int(time.time() if at is None else at))
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": _generate_hmac_signature(secret, delivery, timestamp, body),
    }


def alias_set(
    model: str = "churn", version: str = "3", alias: str = "production", when: float | None = None
) -> str:
    """The body that says that an alias was set."""
    moment = datetime.now(UTC) if when is None else datetime.fromtimestamp(when, UTC)
    return json.dumps(
        {
            "entity": "model_version_alias",
            "action": "created",
            "timestamp": moment.isoformat(),
            "data": {"name": model, "alias": alias, "version": version},
        }
    )
