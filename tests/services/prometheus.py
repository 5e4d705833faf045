"""Prometheus, which asks servers for their metrics and computes from them."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.services.process import answers, find_binary, free_ports, loopback, running

INSTALL = "containers/setup test-tools"


class Prometheus:
    """One that is running."""

    def __init__(self, address: str) -> None:
        self._address = address

    def targets(self) -> list[dict[str, Any]]:
        """The servers that are asked, and how that went."""
        found: list[dict[str, Any]] = self._get("targets")["activeTargets"]
        return found

    def query(self, expression: str, at: float) -> list[dict[str, Any]]:
        """What an expression comes to at a time, in Unix seconds: each with `metric`, `value`."""
        given = {"query": expression, "time": str(at)}
        found: list[dict[str, Any]] = self._get("query", **given)["result"]
        return found

    def label_values(self, label: str, series: str) -> list[str]:
        """The values of a label of some series, as Grafana's `label_values` asks for them."""
        found: list[str] = self._get(f"label/{label}/values", **{"match[]": series})
        return found

    def _get(self, path: str, **given: str) -> Any:
        with loopback.open(f"{self._address}/api/v1/{path}?{urlencode(given)}", timeout=10) as got:
            return json.load(got)["data"]


@contextmanager
def prometheus(folder: Path, ports: Sequence[int], seconds: float) -> Iterator[Prometheus]:
    """One that asks servers at these ports of this machine every so many seconds."""
    own = Path(sys.executable).with_name("prometheus")
    program = find_binary("prometheus", INSTALL, [own])
    (port,) = free_ports(1)
    targets = [f"127.0.0.1:{asked}" for asked in ports]
    job = {"job_name": "sixfold", "static_configs": [{"targets": targets}]}
    every = f"{round(seconds * 1000)}ms"
    settings = {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [job],
    }
    file = folder / "prometheus.json"  # which is YAML, too
    file.write_text(json.dumps(settings))
    address = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'metrics'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(
        command, lambda: answers(f"{address}/-/ready"), folder / "prometheus.log", folder=folder
    ):
        yield Prometheus(address)
