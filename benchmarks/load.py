"""Requests as fast as a server answers them, by wrk (Debian, Ubuntu: apt-get install wrk)."""

import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_LONGEST = 60
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("BODY", "rb")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "errors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What a server did under load.

    Attributes
    ----------
    requests : int
    seconds : float
    p50, p99 : float
        Seconds from request to answer.
    """

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def require_wrk() -> None:
    """End where there is no wrk: before the images are built, not after."""
    if not shutil.which("wrk"):
        raise SystemExit("expected wrk, got none in PATH; install it: apt-get install wrk")


def load(url: str, body: bytes, connections: int, seconds: float) -> Load:
    """Post one body again and again over some connections, each waiting for its answer.

    Raises
    ------
    SystemExit
        An answer was no success.
    """
    with TemporaryDirectory(prefix="sixfold-bench-") as name:
        folder = Path(name)
        (folder / "body").write_bytes(body)
        script = folder / "post.lua"
        script.write_text(_SCRIPT.replace("BODY", str(folder / "body")))
        asked = ["-t1", f"-c{connections}", f"-d{_LONGEST}s", "--timeout", "30s"]
        with subprocess.Popen(
            ["wrk", *asked, "-s", str(script), url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            # wrk takes whole seconds; interrupted, it says what it has seen until then.
            try:
                time.sleep(seconds)
            finally:
                process.send_signal(signal.SIGINT)
            said = process.communicate()[1]
    began = process.returncode != -signal.SIGINT
    if began and process.returncode:
        raise SystemExit(f"wrk failed: {said}")
    found = json.loads(said.strip().splitlines()[-1]) if began else {"requests": 0, "errors": 0}
    if found["errors"]:
        raise SystemExit(f"{found['errors']} of {found['requests']} requests to {url} failed")
    if not found["requests"]:
        if 2 * seconds > _LONGEST:
            raise SystemExit(f"expected answers from {url} in {seconds:.0f} s, got none")
        return load(url, body, connections, 2 * seconds)
    return Load(
        found["requests"],
        found["microseconds"] / 1e6,
        found["p50"] / 1e6,
        found["p99"] / 1e6,
    )
