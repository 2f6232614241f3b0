import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.encryption import (
    HEADER_SIZE,
    EncryptionError,
    KeyRing,
    UnknownKeyError,
    key_id,
    load_key,
    sealing_key_id,
)
from connectors.exceptions import ConfigError
from connectors.models import ERPConnection
from orderflow.tenancy.models import Organization

keys = st.binary(min_size=32, max_size=32)
KEY, OTHER_KEY, THIRD_KEY = (bytes([number]) * 32 for number in (1, 2, 3))
ROW = b"connectors_erpconnection|acme|1"
SECRET = b'{"password": "hunter2"}'
TAG_SIZE = 16


@given(key=keys, plaintext=st.binary(max_size=5000), row=st.binary())
def test_what_was_sealed_for_a_row_opens_for_that_row(key: bytes, plaintext: bytes, row: bytes) -> None:
    ring = KeyRing(key)
    envelope = ring.seal(plaintext, bound_to=row)
    assert ring.open(envelope, bound_to=row) == plaintext
    assert len(envelope) == HEADER_SIZE + len(plaintext) + TAG_SIZE


@given(plaintext=st.binary(), rows=st.lists(st.binary(), min_size=2, max_size=2, unique=True))
def test_an_envelope_does_not_open_for_another_row(plaintext: bytes, rows: list[bytes]) -> None:
    """S2."""
    ring = KeyRing(KEY)
    with pytest.raises(EncryptionError, match="It was changed, or it belongs to another row"):
        ring.open(ring.seal(plaintext, bound_to=rows[0]), bound_to=rows[1])


@pytest.fixture
def connections(db: None) -> list[ERPConnection]:
    acme, globex = (Organization.objects.create(name=slug, slug=slug) for slug in ("acme", "globex"))
    rows = [ERPConnection(organization=owner, name=name) for owner, name in ((acme, "a"), (acme, "b"), (globex, "a"))]
    for row in rows:
        row.set_config({"password": f"of {row.organization} {row.name}"})
        row.save()
    return rows


@pytest.mark.parametrize("other", [1, 2], ids=["of the same organization", "of another organization"])
def test_configs_of_two_connections_that_were_swapped_do_not_open(connections: list[ERPConnection], other: int) -> None:
    """S2."""
    first, second = connections[0], connections[other]
    for row, envelope in ((first, second.config_encrypted), (second, first.config_encrypted)):
        ERPConnection.objects.filter(pk=row.pk).update(config_encrypted=envelope)
    for row in (first, second):
        row.refresh_from_db()
        with pytest.raises(ConfigError, match=f"The config of connection '{row.name}' cannot be decrypted") as refused:
            row.stored_config()
        assert "password" not in str(refused.value)


def test_a_config_does_not_open_once_its_row_changed_hands(connections: list[ERPConnection]) -> None:
    """S2."""
    mine, _, theirs = connections
    ERPConnection.objects.filter(pk=mine.pk).update(organization=theirs.organization, name="stolen")
    mine.refresh_from_db()
    with pytest.raises(ConfigError, match="it belongs to another row"):
        mine.stored_config()


def test_every_flipped_bit_is_refused() -> None:
    ring = KeyRing(KEY, [OTHER_KEY])
    envelope = ring.seal(SECRET, bound_to=ROW)
    for place in range(len(envelope)):
        for bit in range(8):
            changed = bytearray(envelope)
            changed[place] ^= 1 << bit
            with pytest.raises(EncryptionError):
                ring.open(bytes(changed), bound_to=ROW)
    assert ring.open(envelope, bound_to=ROW) == SECRET


@given(st.data())
def test_every_envelope_that_lost_or_gained_bytes_is_refused(data: st.DataObject) -> None:
    ring = KeyRing(KEY)
    envelope = ring.seal(SECRET, bound_to=ROW)
    kept = data.draw(st.integers(0, len(envelope) - 1))
    added = data.draw(st.binary(min_size=1, max_size=40))
    for changed in (envelope[:kept], envelope + added):
        with pytest.raises(EncryptionError):
            ring.open(changed, bound_to=ROW)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_refused(content: bytes) -> None:
    with pytest.raises(EncryptionError):
        KeyRing(KEY).open(content, bound_to=ROW)


def test_the_same_config_is_sealed_differently_every_time() -> None:
    ring = KeyRing(KEY)
    envelopes = {ring.seal(SECRET, bound_to=ROW) for _ in range(1000)}
    nonces = {envelope[HEADER_SIZE - 12 : HEADER_SIZE] for envelope in envelopes}
    assert (len(envelopes), len(nonces)) == (1000, 1000)
    assert all(SECRET not in envelope for envelope in envelopes)


@given(st.lists(keys, min_size=2, max_size=6, unique=True))
def test_a_ring_opens_with_every_key_and_seals_with_the_first(ring_keys: list[bytes]) -> None:
    """S3."""
    ring = KeyRing(ring_keys[0], ring_keys[1:])
    for key in ring_keys:
        assert ring.open(KeyRing(key).seal(SECRET, bound_to=ROW), bound_to=ROW) == SECRET
    assert sealing_key_id(ring.seal(SECRET, bound_to=ROW)) == ring.current_id == key_id(ring_keys[0])


def test_a_key_that_is_master_and_previous_at_once_is_still_the_one_that_seals() -> None:
    """S3."""
    ring = KeyRing(KEY, [OTHER_KEY, KEY])
    assert sealing_key_id(ring.seal(SECRET, bound_to=ROW)) == key_id(KEY)


def test_a_key_that_the_ring_lacks_is_named_by_its_id_and_never_shown() -> None:
    """S3."""
    envelope = KeyRing(THIRD_KEY).seal(SECRET, bound_to=ROW)
    with pytest.raises(UnknownKeyError) as refused:
        KeyRing(KEY, [OTHER_KEY]).open(envelope, bound_to=ROW)
    text = str(refused.value)
    assert f"key {key_id(THIRD_KEY).hex()}" in text
    assert "ENCRYPTION_PREVIOUS_KEYS. Add that key." in text
    assert THIRD_KEY.hex() not in text
    assert base64.urlsafe_b64encode(THIRD_KEY).decode() not in text


def test_a_rotated_config_no_longer_needs_the_old_key() -> None:
    """S3."""
    old = KeyRing(KEY).seal(SECRET, bound_to=ROW)
    both = KeyRing(OTHER_KEY, [KEY])
    rotated = both.seal(both.open(old, bound_to=ROW), bound_to=ROW)
    assert KeyRing(OTHER_KEY).open(rotated, bound_to=ROW) == SECRET
    with pytest.raises(UnknownKeyError):
        KeyRing(OTHER_KEY).open(old, bound_to=ROW)


@given(keys)
def test_the_id_of_a_key_gives_nothing_of_the_key_away(key: bytes) -> None:
    assert len(key_id(key)) == 8
    assert key_id(key) not in key


@given(keys)
def test_a_key_is_read_with_and_without_its_padding(key: bytes) -> None:
    text = base64.urlsafe_b64encode(key).decode()
    assert load_key(text) == load_key(text.rstrip("=")) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0 bytes; AES-256 takes 32"),
        (base64.urlsafe_b64encode(b"x" * 16).decode(), "has 16 bytes; AES-256 takes 32"),
        (base64.urlsafe_b64encode(b"x" * 33).decode(), "has 33 bytes; AES-256 takes 32"),
        ("not a key!", "is not URL-safe base64"),
        ("ä" * 43, "is not URL-safe base64"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_being_shown(text: str, reason: str) -> None:
    with pytest.raises(EncryptionError, match=reason) as refused:
        load_key(text)
    assert not text or text not in str(refused.value)


def test_a_ring_is_made_from_the_settings_texts() -> None:
    """S3."""
    first, second = (base64.urlsafe_b64encode(key).decode() for key in (KEY, OTHER_KEY))
    ring = KeyRing.from_text(first, [second])
    assert ring.current_id == key_id(KEY)
    assert ring.open(KeyRing(OTHER_KEY).seal(SECRET, bound_to=ROW), bound_to=ROW) == SECRET
