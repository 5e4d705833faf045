"""What a deployed model is called: names that Docker, DNS and Kubernetes all take."""

import hashlib
import re

#: Of everything that is deployed: the model's name as the registry has it.
MODEL = "sixfold.deployment"
_LONGEST = 40  # with what is put before and after it, a DNS label (63)
#: What is put after it, by Compose too: a model of such a name would be taken for another's.
_SUFFIX = re.compile(
    r".*-(next|old|front|servers|server-\d+|canary|canary-\d\d?|smoke|token|recordings)"
)


def slug(model: str) -> str:
    """A model's name as part of a DNS label; two models never have the same.

    Examples
    --------
    >>> slug("churn")
    'churn'
    >>> slug("churn-old")
    'churn-old-e07085'
    >>> slug("Churn (EU)")
    'churn-eu-016c19'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    if plain == model and len(plain) <= _LONGEST and not _SUFFIX.fullmatch(plain):
        return plain
    mark = hashlib.sha256(model.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST - 7].strip('-') or 'model'}-{mark}"


def deployment(model: str) -> str:
    """What a deployed model is called, whatever it is deployed to: `sixfold-churn`."""
    return f"sixfold-{slug(model)}"
