"""A `kubectl` that keeps objects in a file and runs nothing.

For what the test cluster cannot do: objects of the Gateway API. A smoke pod whose image is named
`wrong:…` reports a wrong answer, that of `gone:…` goes; every rollout ends at once. A gateway that
is called `refused` is refused, one called `full` when it is no dry run. `elsewhere` does not accept
a route, `nobody` says nothing of it; the others have it as it is one look after it was applied;
what they lead to may not go.
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
                refused = {"refused"} if "--dry-run=server" in words else {"refused", "full"}
                if refused & {ref["name"] for ref in item.get("spec", {}).get("parentRefs", [])}:
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
            item = objects.get(f"{kind}/{name}")
            if item and item.get("kind") != "Gone":
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
        case ["scale", key, replicas]:
            objects[key]["spec"]["replicas"] = int(replicas.partition("=")[2])
        case ["rollout", "undo", key, revision]:
            item = json.loads(json.dumps(objects[key]))
            item["spec"]["template"] = item["history"][revision.partition("=")[2]]
            objects[key] = made(item, objects[key])
        case ["rollout", *_]:
            pass
        case _:
            print(f"error: unknown command {words}", file=sys.stderr)
            return 1
    if words[0] in ("apply", "create", "replace", "delete", "get", "scale", "rollout"):
        written = STORE.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(objects))
        written.replace(STORE)
    return 0


def follow(item: dict[str, Any]) -> None:
    """A gateway takes a route as it is now."""
    if item.get("kind") == "HTTPRoute":
        item["status"] = {"parents": [], "leads_to": item["spec"]["rules"]}
        for ref in item["spec"]["parentRefs"]:
            is_taken = ref["name"] != "elsewhere"
            seen = {
                "type": "Accepted",
                "status": str(is_taken),
                "reason": "Accepted" if is_taken else "NotAllowedByListeners",
                "message": "" if is_taken else "no listener takes it",
                "observedGeneration": item["metadata"]["generation"],
            }
            if ref["name"] != "nobody":
                item["status"]["parents"].append({"parentRef": ref, "conditions": [seen]})


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
    number = "1"
    if item["kind"] == "Deployment":
        item["history"] = dict(before["history"]) if before else {}
        last = str(len(item["history"]))
        is_other = item["history"].get(last) != item["spec"]["template"]
        number = str(len(item["history"]) + 1) if is_other else last
        item["history"][number] = item["spec"]["template"]
    item["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = number
    item["metadata"]["resourceVersion"] = str(zlib.crc32(json.dumps(item, sort_keys=True).encode()))
    if item["kind"] == "Pod":
        item["status"] = {"phase": "Succeeded"}
        if item["spec"]["containers"][0]["image"].startswith("gone:"):
            item["kind"] = "Gone"
    return item


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
