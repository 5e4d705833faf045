"""A `kubectl` that keeps objects in a file and runs nothing.

For what the test cluster cannot do: objects of the Gateway API. A smoke pod whose image is named
`wrong:…` reports a wrong answer; every rollout ends at once. A gateway called `refused` is refused.
"""

import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

STORE = Path(os.environ["STAND_IN_STORE"])
APIS = ("v1", "apps/v1", "policy/v1", "autoscaling/v2", "gateway.networking.k8s.io/v1")


def main(words: list[str]) -> int:
    """Do what a command says, as far as deploying needs it."""
    objects: dict[str, Any] = json.loads(STORE.read_text()) if STORE.exists() else {}
    match words:
        case ["api-versions", *_]:
            print("\n".join(APIS))
        case ["get", "--raw", "/version"]:
            print(json.dumps({"major": "1", "minor": "31+"}))
        case ["config", "view", *_]:
            print("default")
        case ["apply" | "create" | "replace", *_]:
            import site

            site.main()  # started without it, which is quicker
            import yaml

            given = list(yaml.safe_load_all(sys.stdin))
            for item in given:
                if {"name": "refused"} in item.get("spec", {}).get("parentRefs", []):
                    print("error: admission webhook has denied the request", file=sys.stderr)
                    return 1
            if "--dry-run=server" in words:
                return 0
            for item in given:
                objects[f"{item['kind'].lower()}/{item['metadata']['name']}"] = made(item)
        case ["get", kinds, "--selector", *_]:
            found = [key for key in objects if key.partition("/")[0] in kinds.split(",")]
            as_json = words[-1] == "json"
            print(
                json.dumps({"items": [objects[k] for k in found]}) if as_json else "\n".join(found)
            )
        case ["get", kind, name, *_]:
            if item := objects.get(f"{kind}/{name}"):
                print(json.dumps(item))
        case ["delete", *names]:
            for name in names:
                if objects.pop(name, None):
                    print(name)
        case ["logs", name, *_]:
            wrong = objects[f"pod/{name}"]["spec"]["containers"][0]["image"].startswith("wrong:")
            print(json.dumps({"wrong": "other numbers" if wrong else "", "answers": 10}))
        case ["rollout", *_]:
            pass
        case _:
            print(f"error: unknown command {words}", file=sys.stderr)
            return 1
    if words[0] in ("apply", "create", "replace", "delete"):
        written = STORE.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(objects))
        written.replace(STORE)
    return 0


def made(item: dict[str, Any]) -> dict[str, Any]:
    """An object as the cluster would have it."""
    item["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
    item["metadata"]["resourceVersion"] = str(zlib.crc32(json.dumps(item, sort_keys=True).encode()))
    if item["kind"] == "Pod":
        item["status"] = {"phase": "Succeeded"}
    return item


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
