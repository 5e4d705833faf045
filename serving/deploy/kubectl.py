"""kubectl, as the user has it: its cluster, its context, its rights."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from training.errors import SixfoldError, UserError

_QUICK = "5s"
_TIMEOUT = 120.0
_SHOWN = 300
#: What kubectl logs of its own work, beside the error that it ends with.
_LOG = re.compile(r"[EWIF]\d{4} |Warning: |# ")


class KubectlError(SixfoldError):
    """kubectl has ended with an error; the message is its first line."""


class Kubectl:
    """Runs kubectl in a namespace.

    Parameters
    ----------
    namespace : str
        '' for that of its context.

    Raises
    ------
    UserError
        It is not installed.
    """

    def __init__(self, namespace: str = "") -> None:
        found = shutil.which("kubectl")
        if not found:
            raise UserError(
                "expected the command `kubectl`, got none in PATH; install it "
                "(https://kubernetes.io/docs/tasks/tools), or deploy --to docker"
            )
        self._command = [found, *(["--namespace", namespace] if namespace else [])]

    def run(self, *words: str, given: str = "", timeout: float = _TIMEOUT) -> str:
        """What a command prints.

        Raises
        ------
        KubectlError
            It has failed, or has taken too long.
        """
        try:
            done = subprocess.run(
                [*self._command, *words],
                input=given,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(f"kubectl {words[0]} has not ended in {timeout:g} s") from None
        if done.returncode:
            raise KubectlError(_said(done.stderr) or f"kubectl {words[0]} has failed")
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that takes its time."""
        return subprocess.Popen(
            [*self._command, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def get(self, *words: str) -> Any:
        """Objects, as JSON has them; None for one that is not there."""
        printed = self.run("get", *words, "--ignore-not-found", "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def items(self, *words: str) -> list[dict[str, Any]]:
        """Objects of a selection."""
        found = self.get(*words)
        return list(found["items"]) if found else []

    def apis(self) -> list[str]:
        """The API versions that the cluster has.

        Raises
        ------
        UserError
            No cluster answers, or not this user.
        """
        try:
            printed = self.run("api-versions", "--request-timeout", _QUICK)
        except KubectlError as error:
            raise UserError(
                f"expected a Kubernetes that kubectl reaches, got: {error}; set KUBECONFIG or "
                "choose a context: `kubectl config use-context`"
            ) from None
        return printed.split()

    def version(self) -> str:
        """Of the cluster, such as `1.31`; '' where it does not say."""
        try:
            said = "{major}.{minor}".format(**json.loads(self.run("get", "--raw", "/version")))
        except (KubectlError, ValueError, TypeError, KeyError):
            return ""
        found = re.match(r"\d+\.\d+", said)
        return found[0] if found else ""

    def namespace(self) -> str:
        """Where objects go that name no namespace."""
        if "--namespace" in self._command:
            return self._command[-1]
        printed = self.run("config", "view", "--minify", "--output", "jsonpath={..namespace}")
        return printed.strip() or "default"

    def check(self, text: str) -> None:
        """Have the cluster look at a stream of objects as if it were applied. Raises as `apply`."""
        try:
            self.apply(text, "--dry-run=server")
        except KubectlError as error:
            # Somebody else's check, which can be made only when they are applied.
            if "does not support dry run" not in str(error):
                raise

    def apply(self, text: str, *options: str) -> None:
        """Apply a stream of objects.

        Raises
        ------
        UserError
            There is no such namespace.
        KubectlError
            The cluster does not take them.
        """
        try:
            self.run("apply", *options, "--filename", "-", given=text)
        except KubectlError as error:
            if "namespaces" in str(error) and "not found" in str(error):
                name = self.namespace()
                raise UserError(
                    f"expected a namespace that is there, got {name!r}; make it: "
                    f"`kubectl create namespace {name}`"
                ) from None
            raise

    def delete(self, *names: str) -> list[str]:
        """Delete objects, `kind/name` each; what was there. Waits for all that they have made."""
        how = ("--ignore-not-found", "--cascade=foreground", "--output", "name")
        printed = self.run("delete", *names, *how)
        return printed.split()


def selector(labels: Sequence[tuple[str, str]]) -> str:
    """A selection by labels, as kubectl's `--selector` reads it."""
    return ",".join(f"{name}={value}" for name, value in labels)


def _said(text: str) -> str:
    """The line of an error message that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    known = [line for line in lines if not _LOG.match(line)]
    return (known or lines or [""])[0][:_SHOWN]
