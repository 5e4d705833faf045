"""Asks a deployed server for the recorded predictions, from a container of its image.

Ends with 0 if every answer was right; prints one JSON line that says what was found.
"""

import http.client
import json
import time
from pathlib import Path

from serving.tried.asking import Wrong, ask, check_version, wait_until_ready
from serving.tried.sample import Sample

_PAUSE = 0.1


def smoke(url: str, bundle: Path, named: str, times: int, late: float) -> None:
    """Ask for the sample's predictions, again and again; until each time in a row it is right.

    For `late` seconds, an answer of another version, or none, is taken for one by a server that is
    about to end: it is asked anew.
    """
    sample = json.loads((bundle / "sample.json").read_text())
    # A model that Sixfold has not trained has an example in place of rows with predictions.
    recorded = None if "request" in sample else Sample(bundle)
    body = json.dumps(sample["request"] if recorded is None else recorded.request())
    right, until = 0, time.monotonic() + late
    while right < times:
        try:
            status, headers, text = ask("POST", "/invocations", body, url=url)
            check_version(headers, named)
        except (Wrong, OSError, http.client.HTTPException):
            if time.monotonic() > until:
                raise
            right = 0
            time.sleep(_PAUSE)
            continue
        refused = status == 400 and sample.get("is_made", False)
        if status != 200 and not refused:
            raise Wrong(f"status {status}: {text[:200]}")
        if recorded:
            recorded.compare_raw(json.loads(text)["predictions"])
        right += 1


def main(url: str, bundle: str, named: str, seconds: str, times: str, late: str = "0") -> int:
    """Wait until the server is ready, then ask it."""
    try:
        wait_until_ready(float(seconds), url)
        smoke(url, Path(bundle), named, int(times), float(late))
    except Wrong as wrong:
        found = str(wrong)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
    else:
        found = ""
    print(json.dumps({"wrong": found, "answers": 0 if found else int(times)}))
    return 1 if found else 0
