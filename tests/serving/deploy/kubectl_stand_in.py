"""A `kubectl` that keeps objects in a file and runs nothing.

For what the test cluster cannot do: objects of the Gateway API. A smoke pod whose image is named
`wrong:…` reports a wrong answer; every rollout ends at once. A gateway called `refused` is refused;
the others have a route as it is one look after it was applied; what they lead to may not go.
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
                key = f"{item['kind'].lower()}/{item['metadata']['name']}"
                objects[key] = made(item, objects.get(key))
        case ["get", kinds, "--selector", *_]:
            found = [key for key in objects if key.partition("/")[0] in kinds.split(",")]
            as_json = words[-1] == "json"
            print(
                json.dumps({"items": [objects[k] for k in found]}) if as_json else "\n".join(found)
            )
        case ["get", kind, name, *_]:
            if item := objects.get(f"{kind}/{name}"):
                print(json.dumps(item))
                follow(item)
        case ["delete", *names]:
            for name in names:
                if name in led_to({k: objects[k] for k in objects.keys() - set(names)}):
                    print(f"error: a gateway still sends requests to {name}", file=sys.stderr)
                    return 1
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
    if words[0] in ("apply", "create", "replace", "delete", "get"):
        written = STORE.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(objects))
        written.replace(STORE)
    return 0


def follow(item: dict[str, Any]) -> None:
    """A gateway takes a route as it is now."""
    if item.get("kind") == "HTTPRoute":
        seen = {"type": "Accepted", "observedGeneration": item["metadata"]["generation"]}
        item["status"] = {"parents": [{"conditions": [seen]}], "leads_to": item["spec"]["rules"]}


def led_to(objects: dict[str, Any]) -> set[str]:
    """Services that a gateway sends requests to."""
    return {
        f"service/{backend['name']}"
        for key, item in objects.items()
        if key.startswith("httproute/")
        for rule in item["status"]["leads_to"]
        for backend in rule["backendRefs"]
        if backend["name"].endswith("-canary")
    }


def made(item: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """An object as the cluster would have it."""
    if item["kind"] == "HTTPRoute":
        item["metadata"]["generation"] = before["metadata"]["generation"] + 1 if before else 1
        item["status"] = before["status"] if before else {}
        if not before:
            follow(item)
    item["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
    item["metadata"]["resourceVersion"] = str(zlib.crc32(json.dumps(item, sort_keys=True).encode()))
    if item["kind"] == "Pod":
        item["status"] = {"phase": "Succeeded"}
    return item


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
