"""Registries of images: Docker's own, and one that hands out an image of some platforms."""

import hashlib
import io
import json
import secrets
import sys
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.services.process import answers, find_binary, free_ports, running

INSTALL = "containers/setup test-tools"
_TYPE = "application/vnd.docker.distribution.manifest"
_MANIFEST, _LIST = f"{_TYPE}.v2+json", f"{_TYPE}.list.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """The host and port of Docker's own registry, which keeps what it is given in a folder.

    Engines speak to it without a certificate, as it is on the loopback.
    """
    own = Path(sys.executable).with_name("docker-registry")
    program = find_binary("docker-registry", INSTALL, [own])
    (port,) = free_ports(1)
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    file = folder / "registry.json"  # which is YAML, too
    file.write_text(json.dumps(settings))
    host = f"127.0.0.1:{port}"
    with running(
        [program, "serve", file],
        lambda: answers(f"http://{host}/v2/"),
        folder / "registry.log",
        folder=folder,
    ):
        yield host


@contextmanager
def handing_out(platforms: Sequence[str]) -> Iterator[str]:
    """The host and port of one that is not Docker's, until the end of the context.

    Any name and tag is the image's. With one platform there is no list of platforms, and its
    manifest answers whatever is asked for.
    """
    blobs: dict[str, tuple[str, bytes]] = {}

    def keep(kind: str, content: bytes) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = kind, content
        return {"mediaType": kind, "size": len(content), "digest": digest}

    manifests = []
    for platform in platforms:
        system, machine = platform.split("/")
        layer = keep(_LAYER, _packed(f"{platform} {secrets.token_hex(8)}"))
        rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = {"os": system, "architecture": machine, "config": {}, "rootfs": rootfs}
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": keep(_CONFIG, json.dumps(config).encode()),
            "layers": [layer],
        }
        found = keep(_MANIFEST, json.dumps(manifest).encode())
        manifests.append({**found, "platform": {"os": system, "architecture": machine}})
    tagged = manifests[0]
    if len(manifests) > 1:
        whole = {"schemaVersion": 2, "mediaType": _LIST, "manifests": manifests}
        tagged = keep(_LIST, json.dumps(whole).encode())

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            digest = name if name.startswith("sha256:") else str(tagged["digest"])
            kind, content = ("", b"") if self.path == "/v2/" else blobs[digest]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _packed(text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        item = tarfile.TarInfo("platform")
        item.size = len(text)
        archive.addfile(item, io.BytesIO(text.encode()))
    return packed.getvalue()
