"""What a deployed model is called: names that Docker, DNS and Kubernetes all take."""

import hashlib
import re

#: Of everything that is deployed: the model's name as the registry has it.
MODEL = "sixfold.deployment"
_LONGEST = 40  # with what is put before and after it, a DNS label (63)


def slug(model: str) -> str:
    """A model's name as part of a DNS label; two models never have the same.

    Examples
    --------
    >>> slug("churn")
    'churn'
    >>> slug("Churn (EU)")
    'churn-eu-5ae74f'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    if plain == model and len(plain) <= _LONGEST:
        return plain
    mark = hashlib.sha256(model.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST - 7].strip('-') or 'model'}-{mark}"


def deployment(model: str) -> str:
    """What a deployed model is called, whatever it is deployed to: `sixfold-churn`."""
    return f"sixfold-{slug(model)}"
