"""From a version in Production to an image that answers, by the command as a user calls it."""

import hashlib
import io
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import mlflow
import pytest

from registry.store import find_version
from registry.version import local_model
from serving import engine as engines
from serving.base import NAME, network
from serving.check import SEALED, check_image
from serving.labels import BASE, RUN
from tests.e2e.command import call, json_of, start
from tests.registry.versions import MODEL, Versions, registered
from tests.serving.server import recorded
from tests.serving.server.collector import collecting
from tests.training.problems import frame_of
from tests.training.trained import store_in, train_quietly
from tests.waiting import wait_until
from training.errors import SixfoldError
from training.sample import FILE

pytestmark = pytest.mark.docker

_ALGORITHMS = "decision_tree,logistic_regression"
_STOCK_MEGABYTES = 1_010  # what `mlflow models build-docker` makes of a scikit-learn model


@dataclass(frozen=True)
class Images:
    """Two versions of a model, the first of which is in Production, and their images.

    Its name is that of the images, and none that a user's images on this machine have.
    """

    versions: Versions
    engine: Any
    model: str
    first: dict[str, Any]
    second: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return _environment(self.versions)

    def layers(self, built: dict[str, Any]) -> list[str]:
        layers: list[str] = self.engine.images.get(built["image"]).attrs["RootFS"]["Layers"]
        return layers


def _environment(versions: Versions) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": f"sqlite:///{versions.folder}/mlflow.db"}


def sixfold_build(versions: Versions, *words: str) -> dict[str, Any]:
    """`sixfold build … --json`; what it has printed, steps aside."""
    printed = call(versions.folder, "sixfold", ["build", *words, "--json"], _environment(versions))
    built: dict[str, Any] = json_of(printed)
    return built


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    folder = tmp_path_factory.mktemp("serving")
    engine = engines.connect()
    name = f"sixfold-test-{secrets.token_hex(4)}"
    frame = frame_of("all", "binary", 150).drop(columns="t")
    frame = frame.rename(columns={"b": "Länge, in \u4e2d"}).replace({"c": {"red": 'rot; "öß"'}})
    with store_in(folder):
        frame.to_parquet("table.parquet")
        board = train_quietly(data="table.parquet", algorithms=_ALGORITHMS, search="none", folds=2)
        versions = Versions(folder, frame, registered(board))
        client = mlflow.MlflowClient()
        client.rename_registered_model(MODEL, name)
        client.transition_model_version_stage(name, "1", "Production")
        try:
            first = sixfold_build(versions, name)
            second = sixfold_build(versions, name, "--version", "2")
            yield Images(versions, engine, name, first, second)
        finally:
            for image in engine.images.list(name=name):
                for tag in image.tags:
                    engines.remove(engine, tag)


@pytest.fixture(scope="module")
def slim(images: Images) -> dict[str, Any]:
    """What `sixfold build --slim` has printed."""
    return sixfold_build(images.versions, images.model, "--slim", "--tag", f"{images.model}:slim")


def test_the_version_in_production_becomes_a_small_image(images: Images) -> None:
    first = images.first
    assert (first["version"], first["path"]) == ("1", "onnx")
    image = images.engine.images.get(f"{images.model}:1")
    assert image.id == first["image"]
    assert first["bytes"] / 1e6 < 0.45 * _STOCK_MEGABYTES
    assert image.labels[RUN] == first["run_id"]
    assert image.attrs["Config"]["User"] not in ("", "0", "root")
    assert {"recorded predictions", "V2 infer", "CSV", "network"} <= set(first["checks"])


def test_what_is_in_an_image_is_listed_in_the_versions_run(images: Images) -> None:
    client = mlflow.MlflowClient(images.environment["MLFLOW_TRACKING_URI"])
    kept = f"serving/{images.model}-1.cdx.json"
    listed = json.loads(Path(client.download_artifacts(images.first["run_id"], kept)).read_text())
    assert listed["bomFormat"] == "CycloneDX"
    names = {item["name"] for item in listed["components"]}
    assert {"numpy", "onnxruntime", "uvicorn", "libc6"} <= names
    assert names & {"python", "python3.11-minimal"}
    assert not names & {"mlflow", "pandas", "scikit-learn"}
    inside = ["python", "-c", "import numpy; print(numpy.__version__)"]
    found = images.engine.containers.run(
        images.first["image"], inside[1:], entrypoint=inside[0], remove=True
    )
    (numpy,) = (item for item in listed["components"] if item["name"] == "numpy")
    assert numpy["version"] == found.decode().strip()
    assert numpy["licenses"]


def test_the_second_version_adds_layers_of_its_own_bytes_only(images: Images) -> None:
    first, second = images.layers(images.first), images.layers(images.second)
    model = next(i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    image = images.engine.images.get(images.second["image"])
    steps = [step for step in reversed(image.history()) if "LABEL" not in step["CreatedBy"]]
    copied = next(i for i, step in enumerate(steps) if " in /opt/ml/model" in step["CreatedBy"])
    sizes = [step["Size"] for step in steps]
    assert 0 < sizes[copied] == sum(sizes[copied:]) == images.second["own_bytes"] < 1_000_000
    base = images.engine.images.get(f"{NAME}:{image.labels[BASE]}").attrs["RootFS"]["Layers"]
    assert first[: len(base)] == second[: len(base)] == base
    assert model >= len(base)


def test_two_builds_of_a_version_differ_by_times_only(images: Images) -> None:
    """And neither has an index, a proxy or a name of this machine in any of its files."""
    before = images.first["image"]
    found = own_files(images, before)
    assert found
    engines.remove(images.engine, f"{images.model}:1")  # with what a build could take up again
    images.first.update(sixfold_build(images.versions, images.model))
    assert images.first["image"] != before
    assert own_files(images, images.first["image"]) == found


def own_files(images: Images, image: str) -> list[list[tuple[Any, ...]]]:
    """Of each layer above the base: its files, but for their times."""
    saved = images.engine.images.get(image)
    base = images.engine.images.get(f"{NAME}:{saved.labels[BASE]}").attrs["RootFS"]["Layers"]
    settings = {k: v for k, v in network()[1].items() if v and k.lower() != "no_proxy"}
    layers = []
    with tempfile.TemporaryFile() as file:
        for chunk in saved.save():
            file.write(chunk)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            names = json.load(member(archive, "manifest.json"))[0]["Layers"]
            for name in names:
                content = member(archive, name).read()
                assert not [word for word in settings if settings[word].encode() in content]
                with tarfile.open(fileobj=io.BytesIO(content)) as layer:
                    layers.append([described(layer, item) for item in layer.getmembers()])
    return layers[len(base) :]


def member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    assert found
    return found


def described(layer: tarfile.TarFile, item: tarfile.TarInfo) -> tuple[Any, ...]:
    content = hashlib.sha256(member(layer, item.name).read()).hexdigest() if item.isreg() else ""
    return item.name, item.type, item.mode, item.uid, item.gid, item.linkname, content


def test_nothing_of_the_machine_stays_in_an_image(images: Images) -> None:
    """Neither an index, a proxy nor a certificate, and no file that only training needs."""
    image = images.engine.images.get(f"{images.model}:1")
    said = json.dumps([image.history(), image.attrs["Config"]])
    for secret in ("PIP_INDEX_URL", "PROXY", "proxy", "PIP_TRUSTED_HOST", "host-ca"):
        assert secret not in said
    script = (
        "from importlib.util import find_spec\n"
        "from pathlib import Path\n"
        "files = [file for top in ('/opt', '/build', '/root') for file in Path(top).rglob('*')]\n"
        "assert not [file for file in files if file.suffix in ('.skops', '.crt', '.lock')]\n"
        "names = ('mlflow.pyfunc', 'pandas', 'sklearn', 'training.fit', 'serving.build')\n"
        "print([name for name in names if find_spec(name)])\n"
    )
    printed = images.engine.containers.run(
        image.id, ["-c", script], entrypoint="python", remove=True, network_mode="none"
    )
    assert printed.decode().strip() == "[]"


def test_a_slim_image_answers_too(images: Images, slim: dict[str, Any]) -> None:
    assert slim["bytes"] / 1e6 <= 200
    assert slim["bytes"] < images.first["bytes"]
    assert slim["checks"] == images.first["checks"]
    client = mlflow.MlflowClient(images.environment["MLFLOW_TRACKING_URI"])
    kept = {item.path for item in client.list_artifacts(slim["run_id"], "serving")}
    names = [f"{images.model}-1{part}.cdx.json" for part in ("", "-slim")]
    assert {f"serving/{name}" for name in names} <= kept


def test_traces_are_made_by_an_image_that_is_not_slim(images: Images, slim: dict[str, Any]) -> None:
    """And are sent when its container is stopped; a slim one says that it makes none."""
    with collecting() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "SIXFOLD_PORT": "0"}
        said = {}
        for image in (images.first["image"], slim["image"]):
            container = images.engine.containers.run(
                image, detach=True, environment=variables, network_mode="host", **SEALED
            )
            try:
                wait_until(lambda: b" is ready on " in container.logs())  # noqa: B023
                (port,) = re.findall(r"ready on \S+:(\d+) ", container.logs().decode())
                urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=30).close()
                container.stop()
                said[image] = container.logs().decode()
            finally:
                container.remove(force=True)
    assert "no traces: " not in said[images.first["image"]]
    assert [span.name for span in collector.spans] == ["GET /livez"]
    assert collector.spans[0].resource["service.name"] == images.model
    (line,) = [line for line in said[slim["image"]].splitlines() if "traces" in line]
    assert line.startswith("no traces: expected OpenTelemetry")


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        ("USER 0:0\n", "'user'"),
        ("COPY sample.json /opt/ml/model/sixfold/sample.json\n", "'ready'.*got others"),
        ("ENV SIXFOLD_MAX_ROWS=1\n", "'recorded predictions'.*: status 4"),
        ('ENTRYPOINT ["python", "-c", "print(\'no model\'); exit(3)"]\n', "'ready'.*no model"),
    ],
)
def test_an_image_that_is_not_as_it_must_be_fails_its_checks(
    images: Images, tmp_path: Path, instructions: str, said: str
) -> None:
    version = find_version(mlflow.MlflowClient(), images.model, "1")
    model = local_model(version, tmp_path)
    sample = json.loads((model / "data" / "model" / FILE).read_text())
    sample["predictions"][0] = sample["predictions"][0][::-1]
    image = images.engine.images.get(f"{images.model}:1")
    tag = f"{images.model}:spoilt"
    spoilt = engines.build(
        images.engine,
        f"FROM {image.tags[0]}\n{instructions}",
        {"sample.json": json.dumps(sample).encode()},
        tag=tag,
    )
    try:
        with pytest.raises(SixfoldError, match=f"failed the check {said}"):
            check_image(images.engine, spoilt, version, print)
    finally:
        engines.remove(images.engine, tag)


def test_a_push_that_is_refused_is_one_line(images: Images) -> None:
    """What was asked for beside it, a list of what is in the image, is there."""
    words = ["build", images.model, "--push", "--tag", f"127.0.0.1:1/{images.model}"]
    words += ["--sbom", "listed.json"]
    printed = call(images.versions.folder, "sixfold", words, images.environment, code=2)
    try:
        last = printed.strip().splitlines()[-1]
        assert last.startswith("sixfold: expected a registry that takes 127.0.0.1:1/")
        assert "Traceback" not in printed
        assert (images.versions.folder / "listed.json").read_text().startswith("{")
    finally:
        engines.remove(images.engine, f"127.0.0.1:1/{images.model}:1")


def test_a_served_version_answers_what_was_recorded(images: Images, tmp_path: Path) -> None:
    words = ["serve", images.model, "--port", "0", "--detach"]
    printed = call(images.versions.folder, "sixfold", words, images.environment).splitlines()
    answers = next(line for line in printed if " answers at " in line)
    url = answers.split(" answers at ")[1].split()[0]
    container = images.engine.containers.get(answers.rpartition(" ")[2].rstrip(")"))
    try:
        assert f"re-using the image {images.model}:" in "\n".join(printed)
        host = container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["PortBindings"]["8080/tcp"][0]["HostIp"] == "127.0.0.1"

        model = local_model(find_version(mlflow.MlflowClient(), images.model, "1"), tmp_path)
        sample = json.loads((model / "data" / "model" / FILE).read_text())
        body = {
            "dataframe_records": sample["rows"],
            "params": {"predict_method": "predict_proba"},
        }
        found = post(f"{url}/invocations", body)["predictions"]
        for got, expected in zip(found, sample["predictions"], strict=True):
            values = list(got.values()) if isinstance(got, dict) else got
            assert values == pytest.approx(expected, rel=1e-5, abs=1e-6)

        curl = next(line for line in printed if line.startswith("curl "))
        done = subprocess.run([*shlex.split(curl), "-sf"], capture_output=True, check=True)
        assert len(json.loads(done.stdout)["predictions"]) == 1
    finally:
        container.remove(force=True)


def test_ctrl_c_stops_and_removes_what_is_served(images: Images, tmp_path: Path) -> None:
    """What was answered until then is recorded."""
    words = ["serve", images.model, "--port", "0", "--record", str(tmp_path / "kept")]
    process = start(images.versions.folder, "sixfold", words, images.environment)
    assert process.stdout
    name = ""
    for line in process.stdout:
        if " answers at " in line:
            name = line.rstrip().rpartition(" ")[2].rstrip(")")
        if line.startswith("curl "):
            subprocess.run([*shlex.split(line), "-sf"], capture_output=True, check=True)
            break
    os.kill(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    assert name
    assert name not in [container.name for container in images.engine.containers.list(all=True)]
    (row,) = recorded.rows(tmp_path / "kept" / images.model / "1")
    assert row["__prediction"] is not None


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())
