"""A package index that asks for a user, behind a proxy that asks for another, with a CA of its own.

Its name is known to the proxy alone: who does not ask the proxy does not find it.
"""

import base64
import datetime
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "index.example"
_USER = "ada"
_DAY = datetime.timedelta(days=1)


@dataclass
class Index:
    """What was asked of an index and of its proxy.

    Attributes
    ----------
    password, proxy_password : str
    certificate : Path
        Of the CA.
    port, proxy_port : int
        Of 127.0.0.1.
    served : list of str
        Paths that the index has answered.
    tunnels : list of str
        What the proxy has led to, as `host:port`.
    refused : list of str
        What came without the right password.
    """

    password: str
    proxy_password: str
    certificate: Path
    port: int = 0
    proxy_port: int = 0
    served: list[str] = field(default_factory=list)
    tunnels: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The index, as pip is told of it."""
        return f"https://{_USER}:{self.password}@{HOST}/simple"

    @property
    def proxy(self) -> str:
        """The proxy, likewise."""
        return f"http://{_USER}:{self.proxy_password}@127.0.0.1:{self.proxy_port}"


def download(locks: Sequence[Path], folder: Path) -> None:
    """The wheels of locks, from where this machine's pip has packages from."""
    words = [part for lock in locks for part in ("-r", str(lock))]
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *words]
    subprocess.run(command, check=True)


@contextmanager
def serving(wheels: Path, folder: Path, password: str, proxy_password: str) -> Iterator[Index]:
    """An index of a folder's wheels, and its proxy, until the end of the context."""
    certificate, key = _certificates(folder)
    index = Index(password, proxy_password, folder / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    pages = ThreadingHTTPServer(("127.0.0.1", 0), _pages(index, wheels))
    # Each connection shakes hands in its own thread.
    pages.socket = context.wrap_socket(
        pages.socket, server_side=True, do_handshake_on_connect=False
    )
    tunnels = ThreadingHTTPServer(("127.0.0.1", 0), _tunnels(index))
    index.port, index.proxy_port = pages.server_port, tunnels.server_port
    for server in (pages, tunnels):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield index
    finally:
        for server in (pages, tunnels):
            server.shutdown()
            server.server_close()


def _package(wheel: Path) -> str:
    return wheel.name.partition("-")[0].lower().replace("_", "-").replace(".", "-")


def _is_let_in(header: str | None, password: str) -> bool:
    return header == "Basic " + base64.b64encode(f"{_USER}:{password}".encode()).decode()


def _pages(index: Index, wheels: Path) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not _is_let_in(self.headers["Authorization"], index.password):
                index.refused.append(self.path)
                self._answer(401, b"", [("WWW-Authenticate", 'Basic realm="index"')])
                return
            index.served.append(self.path)
            _, kind, name, *_ = self.path.split("/")
            file = wheels / name
            if kind == "simple":
                found = [path for path in sorted(wheels.iterdir()) if _package(path) == name]
                links = [f'<a href="/files/{quote(path.name)}">{path.name}</a>' for path in found]
                self._answer(200, "\n".join(links).encode(), [("Content-Type", "text/html")])
            elif file.is_file():
                self._answer(200, file.read_bytes(), [])
            else:
                self._answer(404, b"", [])

        def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Pages


def _tunnels(index: Index) -> type[BaseHTTPRequestHandler]:
    class Tunnels(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if not _is_let_in(self.headers["Proxy-Authorization"], index.proxy_password):
                index.refused.append(self.path)
                self.send_error(407)
                return
            if self.path != f"{HOST}:443":
                self.send_error(502)
                return
            index.tunnels.append(self.path)
            with socket.create_connection(("127.0.0.1", index.port)) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=_pump, args=(there, self.connection), daemon=True)
                back.start()
                _pump(self.connection, there)
                back.join()

        def log_message(self, *_: object) -> None:
            pass

    return Tunnels


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _certificates(folder: Path) -> tuple[Path, Path]:
    """A CA, and what it has signed for the index: certificate and key."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("A test's own CA")
    ca = (
        _certificate(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    own = (
        _certificate(_name(HOST), ca_name, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "ca.crt").write_bytes(ca.public_bytes(pem))
    (folder / "own.crt").write_bytes(own.public_bytes(pem))
    (folder / "own.key").write_bytes(key.private_bytes(pem, *private))
    return folder / "own.crt", folder / "own.key"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
