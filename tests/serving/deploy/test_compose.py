"""The Compose file: what it grants, and that a person's own file stays."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serving.deploy import compose
from serving.deploy.compose_file import written_anew
from serving.deploy.compose_text import FRONT_FILE, quoted
from serving.deploy.front import program
from serving.deploy.recording import Recording
from serving.deploy.wanted import Release, Wanted
from tests.serving.deploy.releases import CHURN
from training.errors import UserError


def test_the_server_can_do_little() -> None:
    wanted = Wanted("churn", port=9000, cpu=0.5, memory=256 << 20, workers=2)
    whole = yaml.safe_load(written_anew("", CHURN, wanted))
    assert set(whole) == {"services"}
    (server,) = whole["services"].values()
    assert server["image"] == CHURN.image
    assert server["ports"] == ["127.0.0.1:9000:8080"]
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert server["restart"] == "unless-stopped"
    assert (server["cpus"], server["mem_limit"]) == (0.5, "256m")
    assert server["environment"] == {"SIXFOLD_WORKERS": "2"}
    assert server["labels"] == {
        "sixfold.deployment": "churn",
        "sixfold.run": CHURN.run_id,
        "sixfold.version": "3",
    }
    assert "privileged" not in server


def test_a_token_is_a_file_and_not_in_the_text(tmp_path: Path) -> None:
    file = tmp_path / "token: a name"
    file.write_text("s3cret")
    text = written_anew("", CHURN, Wanted("churn", token_file=file))
    whole = yaml.safe_load(text)
    assert "s3cret" not in text
    assert whole["secrets"] == {"token": {"file": str(file)}}
    (server,) = whole["services"].values()
    assert server["secrets"] == ["token"]
    assert server["environment"] == {"SIXFOLD_TOKEN_FILE": "/run/secrets/token"}


def test_recordings_keep_their_size(tmp_path: Path) -> None:
    def limit(asked: Recording) -> int:
        server = written(tmp_path, CHURN, Wanted("churn", record=asked))["services"]["server"]
        return int(server["environment"]["SIXFOLD_RECORD_BYTES"])

    assert limit(Recording(size=10 << 30)) == limit(Recording()) > limit(Recording(size=1 << 30))


def test_what_is_recorded_goes_to_a_volume_or_a_folder(tmp_path: Path) -> None:
    whole = yaml.safe_load(written_anew("", CHURN, Wanted("churn", record=Recording())))
    (server,) = whole["services"].values()
    assert server["volumes"] == ["recordings:/recordings"]
    assert whole["volumes"] == {"recordings": {"name": "sixfold-churn_recordings"}}
    assert server["environment"]["SIXFOLD_RECORD"] == "/recordings"
    assert server["read_only"] is True
    assert "user" not in server, "the image's own, who owns the volume"

    folder = tmp_path / "a: folder"
    folder.mkdir()
    os.chown(folder, 12345, -1) if os.geteuid() == 0 else None
    owner = folder.stat()
    wanted = Wanted("churn", record=Recording(folder=folder))
    whole = yaml.safe_load(written_anew("", CHURN, wanted))
    (server,) = whole["services"].values()
    assert server["volumes"] == [f"{folder}:/recordings"]
    assert server["user"] == f"{owner.st_uid}:{owner.st_gid}"
    assert "volumes" not in whole


@pytest.mark.parametrize("model", ["churn", 'a "quoted": name', "#1", "naïve {x}", "yes", "$HOME"])
def test_any_name_is_text(model: str) -> None:
    whole = yaml.safe_load(written_anew("", Release(model, "1", "", "a:1"), Wanted(model)))
    (server,) = whole["services"].values()
    assert server["labels"]["sixfold.deployment"] == model.replace("$", "$$"), "as Compose reads it"


def test_a_dollar_begins_no_variable(tmp_path: Path) -> None:
    file = tmp_path / "$token"
    folder = tmp_path / "${folder"
    folder.mkdir()
    os.chown(folder, 12345, -1) if os.geteuid() == 0 else None
    asked = Recording(folder=folder)
    wanted = Wanted("churn", token_file=file, record=asked, traces="http://$host:4318")
    text = written_anew("", replace(CHURN, version="$1", image="$image"), wanted)
    server = yaml.safe_load(text)["services"]["server"]
    said = [server["image"], server["labels"]["sixfold.version"], *server["volumes"]]
    said += [yaml.safe_load(text)["secrets"]["token"]["file"], *server["environment"].values()]
    assert sum("$" in value for value in said) == 5
    assert "$" not in "".join(said).replace("$$", "")


def test_two_models_in_folders_of_one_name_are_two_projects(tmp_path: Path) -> None:
    names = []
    for model in ("churn", "fraud"):
        folder = tmp_path / model / "deploy"
        path = compose.write(replace(CHURN, model=model), Wanted(model), folder)
        names.append((folder / ".env").read_text())
        up = f"--project-name sixfold-{model} "
        assert up in compose.command(path, model)
        assert up in path.read_text()
    assert names == [f"COMPOSE_PROJECT_NAME=sixfold-{model}\n" for model in ("churn", "fraud")]
    (folder / ".env").write_text("MINE=1\n")
    compose.write(replace(CHURN, model="fraud"), Wanted("fraud"), folder)
    assert (folder / ".env").read_text() == "MINE=1\n"


def test_who_writes_to_a_fixed_volume_is_there_once() -> None:
    """Of the repository's own file: whichever project a second one would be of, it is refused."""
    whole = yaml.safe_load((Path(__file__).parents[3] / "compose.yaml").read_text())
    assert all(volume["name"] for volume in whole["volumes"].values())
    for name in ("database", "store"):
        assert whole["services"][name]["container_name"] == f"sixfold-{name}-1"


def test_ours_is_written_over_and_another_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "deploy-churn"
    path = compose.write(CHURN, Wanted("churn"), folder)
    compose.write(CHURN, Wanted("churn", port=9000), folder)
    assert "127.0.0.1:9000:8080" in path.read_text()
    path.write_text("name: mine\n")
    with pytest.raises(UserError, match="got another"):
        compose.write(CHURN, Wanted("churn"), folder)
    assert path.read_text() == "name: mine\n"


NEXT = replace(CHURN, version="4", image="churn:4")


def written(folder: Path, release: Release, wanted: Wanted) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(compose.write(release, wanted, folder).read_text())
    return found


def test_a_canary_is_written_into_the_file_that_is_there(tmp_path: Path) -> None:
    """What a person has changed or added stays; the port goes to the front and comes back."""
    token = tmp_path / "token"
    token.write_text("s3cret")
    stable = Wanted("churn", port=9000, token_file=token)
    before = written(tmp_path, CHURN, stable)
    path = tmp_path / compose.FILE
    mine = "  mine:  # added by hand\n    image: mine:1\n"
    text = path.read_text().replace("mem_limit: 512m", "mem_limit: 700m")
    other = "networks:\n  front: {internal: true}\n"
    path.write_text(text.replace("\nsecrets:", f"{mine}\n{other}secrets:"))

    canary = Wanted("churn", canary=10, cpu=0.5, record=Recording())
    whole = written(tmp_path, NEXT, canary)
    services = whole["services"]
    assert list(services) == ["server", "canary", "front", "mine"]
    assert "# added by hand" in path.read_text()
    expected = before["services"]["server"] | {"mem_limit": "700m"}
    ports = expected.pop("ports")
    assert services["server"] == expected
    assert services["front"]["ports"] == ports == ["127.0.0.1:9000:8080"]
    assert services["front"]["command"] == ["8080", "server", "8080", "canary", "10"]
    assert services["front"]["image"] == CHURN.image
    assert services["front"]["volumes"] == ["./sixfold-front.py:/sixfold-front.py:ro"]
    assert (tmp_path / FRONT_FILE).read_text() == program()
    found = services["canary"]
    assert (found["image"], found["cpus"], found["mem_limit"]) == ("churn:4", 0.5, "700m")
    assert found["secrets"] == ["token"]
    assert found["environment"]["SIXFOLD_TOKEN_FILE"] == "/run/secrets/token"
    assert found["labels"] == {
        "sixfold.deployment": "churn",
        "sixfold.run": CHURN.run_id,
        "sixfold.share": "10",
        "sixfold.version": "4",
    }
    assert "ports" not in found
    assert whole["volumes"] == {"recordings": {"name": "sixfold-churn_recordings"}}
    assert whole["secrets"] == before["secrets"]
    assert whole["networks"] == {"front": {"internal": True}}

    again = written(tmp_path, replace(NEXT, version="5"), replace(canary, canary=25))
    assert list(again["services"]) == list(services)
    assert again["services"]["canary"]["labels"]["sixfold.share"] == "25"
    assert again["services"]["front"]["command"][-1] == "25"
    assert again["services"]["server"] == services["server"]
    assert again["volumes"] == whole["volumes"]

    # The version for all: with the port, the token and the sizes that are there.
    last = written(tmp_path, NEXT, Wanted("churn"))
    assert list(last["services"]) == ["server", "mine"]
    assert last["services"]["server"] == before["services"]["server"] | {
        "image": "churn:4",
        "mem_limit": "700m",
        "memswap_limit": "700m",
        "labels": before["services"]["server"]["labels"] | {"sixfold.version": "4"},
    }
    assert last["secrets"] == before["secrets"]
    assert path.read_text().startswith("# churn, version 4, as ")
    assert " --remove-orphans" in compose.command(path, "churn")
    written(tmp_path, NEXT, canary)
    assert "--remove-orphans" not in compose.command(path, "churn")


def test_a_canary_that_cannot_be(tmp_path: Path) -> None:
    canary = Wanted("churn", canary=10)
    with pytest.raises(UserError, match=r"got none in .*\.yaml; deploy one without"):
        compose.write(NEXT, canary, tmp_path)
    path = compose.write(CHURN, Wanted("churn"), tmp_path)
    with pytest.raises(UserError, match="expected no --port with --canary"):
        compose.write(NEXT, replace(canary, port=9000), tmp_path)
    text = path.read_text().replace('ports: ["127.0.0.1:8080:8080"]', "ports: [8080]")
    path.write_text(text)
    with pytest.raises(UserError, match="got another; move it away"):
        compose.write(NEXT, canary, tmp_path)
    assert path.read_text() == text
    assert not (tmp_path / FRONT_FILE).exists()


def canary_in(change: Callable[[str], str], folder: Path) -> tuple[str, str]:
    """A person's file, and what becomes of it."""
    path = compose.write(CHURN, Wanted("churn"), folder)
    path.write_bytes(change(path.read_text()).encode())
    text = path.read_text()
    compose.write(NEXT, Wanted("churn", canary=10, record=Recording()), folder)
    return text, path.read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("restart: unless", "restart: &how unless"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"{text}# the end",
        lambda text: f"x-mine:\n  server: {{a: 1}}\n{text}networks:\n  canary: {{}}\n",
        lambda text: f"{text}\nvolumes:\n  mine: {{}}\n",
        lambda text: text.replace("  server:", "  # by hand\n  mine: {image: a}\n\n  server:"),
        lambda text: text.replace("  server:", '  "mine": {image: a}\n  server:'),
        lambda text: f"{text}  # after it\n  'mine': {{image: a}}\n",
    ],
)
def test_a_file_that_was_changed_gets_a_canary(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    before, after = map(yaml.safe_load, canary_in(change, tmp_path))
    assert after["services"]["front"]["ports"] == before["services"]["server"].pop("ports")
    assert after["services"].pop("canary")["image"] == "churn:4"
    del after["services"]["front"]
    recorded = {"recordings": {"name": "sixfold-churn_recordings"}}
    assert after == before | {"volumes": before.get("volumes", {}) | recorded}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("  server:", "  canary: {image: mine}\n  server:"),
        lambda text: text.replace("  server:", '  front:\n    image: "mine"\n  server:'),
        lambda text: text.replace("\n    ", "\n      "),
        lambda text: text.replace("services:\n", "services:\n  - "),
        lambda text: text.replace("services:", "x-services:"),
        lambda text: text.replace("    read_only", "\tread_only"),
        lambda text: text.replace("    read_only", "    secrets: [token, more]\n    read_only"),
        lambda text: text.replace("    read_only", "    networks: [inner]\n    read_only"),
        lambda text: text.replace(
            "    read_only", '    environment: {SIXFOLD_TOKEN: "a"}\n    read_only'
        ),
        lambda text: f"{text}volumes: {{mine: {{}}}}\n",
    ],
)
def test_a_file_that_is_no_longer_as_ours_is_left_alone(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    with pytest.raises(UserError, match="got another; move it away"):
        canary_in(change, tmp_path)
    text = (tmp_path / compose.FILE).read_text()
    assert "churn:4" not in text
    assert not (tmp_path / FRONT_FILE).exists()


def test_a_file_that_cannot_be_replaced_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compose.write(CHURN, Wanted("churn"), tmp_path)
    before = path.read_text()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(UserError, match="No space left on device"):
            compose.write(NEXT, Wanted("churn"), tmp_path)
    assert path.read_text() == before
    assert {item.name for item in tmp_path.iterdir()} == {compose.FILE, ".env"}
    path.chmod(0o640)
    link = tmp_path / "linked"
    link.mkdir()
    (link / compose.FILE).symlink_to(path)
    compose.write(NEXT, Wanted("churn"), link)
    assert (link / compose.FILE).is_symlink()
    assert "churn:4" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_not_utf_8_is_left_alone(tmp_path: Path) -> None:
    path = compose.write(CHURN, Wanted("churn"), tmp_path)
    data = path.read_bytes() + "# gekündigt\n".encode("latin-1")
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"expected .*compose.yaml in UTF-8"):
        compose.write(NEXT, Wanted("churn"), tmp_path)
    assert path.read_bytes() == data


@given(st.text(st.characters(), min_size=1))
def test_any_text_is_itself_again(text: str) -> None:
    """In a line of its own, as pieces of the file are told apart by lines."""
    line = f"name: {quoted(text)}\n"
    assert yaml.safe_load(line)["name"].replace("$$", "$") == text
    assert len(line.splitlines()) == 1
    assert (text != "😀" * len(text)) or text in line


def test_a_file_of_before_is_still_ours(tmp_path: Path) -> None:
    release = replace(CHURN, model="naïve 😀")
    path = compose.write(release, Wanted(release.model), tmp_path)
    text = path.read_text()
    assert "naïve 😀" in text.partition("services:")[2]
    path.write_text(text.replace('"naïve 😀"', r'"na\u00efve \ud83d\ude00"'))
    compose.write(release, Wanted(release.model), tmp_path)
    assert path.read_text() == text


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="name another: --write"):
        compose.write(CHURN, Wanted("churn"), tmp_path / "taken" / "below")
