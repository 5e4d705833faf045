"""Which deliveries are taken, checked against MLflow's own signatures."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities.webhook import WebhookEvent
from mlflow.webhooks.types import get_example_payload_for_event

from registry.delivery import ALIAS_SET, TOLERANCE, Refused, Verifier, read_event
from tests.registry.deliveries import SECRET, alias_set, signed

NOW = 1_800_000_000.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part),
    max_leaves=8,
)


@given(body=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_mlflow_signs_is_taken_once(body: str) -> None:
    verifier = Verifier(SECRET)
    headers = signed(body, at=NOW)
    assert verifier.check(headers, body.encode(), NOW)
    assert not verifier.check(headers, body.encode(), NOW)


@given(data=st.data())
def test_no_changed_part_is_taken(data: st.DataObject) -> None:
    body = alias_set()
    parts: dict[str, str] = signed(body, at=NOW) | {"body": body}
    name = data.draw(st.sampled_from(sorted(parts)))
    parts[name] = data.draw(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text != parts[name])
    )
    with pytest.raises(Refused) as refused:
        Verifier(SECRET).check(parts, parts["body"].encode(), NOW)
    assert refused.value.status == 401


@pytest.mark.parametrize("secret", ["", SECRET + "x", "another secret of these tests"])
def test_another_secret_is_refused(secret: str) -> None:
    body = alias_set()
    with pytest.raises(Refused, match="not by our secret"):
        Verifier(SECRET).check(signed(body, secret, NOW), body.encode(), NOW)


@pytest.mark.parametrize("late", [TOLERANCE + 1, -TOLERANCE - 1, 1e9])
def test_an_old_delivery_is_refused(late: float) -> None:
    body = alias_set()
    with pytest.raises(Refused, match="check the clocks"):
        Verifier(SECRET).check(signed(body, at=NOW), body.encode(), NOW + late)


def test_a_replay_is_known_as_long_as_its_time_is_good() -> None:
    body, verifier = alias_set(), Verifier(SECRET, most=2)
    # Its clock is ahead: it is good for nearly twice the tolerance.
    headers = signed(body, at=NOW + TOLERANCE)
    assert verifier.check(headers, body.encode(), NOW)
    for i in range(20):
        later = NOW + i * 2 * TOLERANCE / 20
        assert not verifier.check(headers, body.encode(), later), later
        # Others come meanwhile and find room only where an old one has run out.
        with suppress(Refused):
            verifier.check(signed(body, at=later - TOLERANCE), body.encode(), later)


def test_room_is_made_when_deliveries_have_run_out() -> None:
    body, verifier = alias_set(), Verifier(SECRET, most=3)
    for _ in range(3):
        assert verifier.check(signed(body, at=NOW), body.encode(), NOW)
    with pytest.raises(Refused, match="too many") as refused:
        verifier.check(signed(body, at=NOW), body.encode(), NOW)
    assert refused.value.status == 503, "MLflow tries again only after such a status"
    later = NOW + TOLERANCE + 1
    assert verifier.check(signed(body, at=later), body.encode(), later)


def test_mlflows_own_example_is_read() -> None:
    example = get_example_payload_for_event(WebhookEvent.from_str(ALIAS_SET))
    body = json.loads(alias_set(when=NOW)) | {"data": example}
    event = read_event(json.dumps(body).encode())
    assert event is not None
    assert (event.model, event.alias, event.version) == ("example_model", "example_alias", "1")
    assert event.when == NOW


def test_other_events_are_not_ours() -> None:
    body = json.loads(alias_set()) | {"action": "deleted"}
    assert read_event(json.dumps(body).encode()) is None


@given(entity=st.just("model_version_alias") | JSON, when=JSON, data=JSON, name=JSON, version=JSON)
def test_what_is_no_event_is_refused(
    entity: Any, when: Any, data: Any, name: Any, version: Any
) -> None:
    for content in (data, {"name": name, "version": version, "alias": "production"}):
        said = {"entity": entity, "action": "created", "timestamp": when, "data": content}
        with pytest.raises(Refused) if entity == "model_version_alias" else _either():
            read_event(json.dumps(said).encode())


@given(st.binary(max_size=200))
def test_bytes_that_are_no_event_are_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read_event(body)


@pytest.mark.parametrize("version", ["", "3; rm", "-1", "٣", "3\n", "1" * 300])
def test_a_version_is_a_number(version: str) -> None:
    with pytest.raises(Refused):
        read_event(alias_set(version=version).encode())


@pytest.mark.parametrize("model", ["", "a\0b", "a\nb", "x" * 300])
def test_a_name_that_no_environment_takes_is_refused(model: str) -> None:
    with pytest.raises(Refused):
        read_event(alias_set(model=model).encode())


def _either() -> Any:
    return suppress(Refused)
