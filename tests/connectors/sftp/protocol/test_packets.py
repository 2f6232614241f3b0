import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sftp.protocol import requests
from connectors.sftp.protocol.packets import (
    MAX_ANSWER,
    SSH_PAYLOAD,
    Answer,
    PacketType,
    ProtocolError,
    Request,
    encode,
    split,
)
from connectors.sftp.protocol.responses import (
    Attributes,
    attributes_of,
    data_of,
    extensions_of,
    handle_of,
    names_of,
    status_of,
)

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
answers = st.lists(st.tuples(u32, st.integers(1, 255), st.binary(max_size=200)), max_size=20)
attributes = st.tuples(st.none() | u64, st.none() | st.tuples(u32, u32), st.none() | u32, st.none() | u32)


def string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def packed_attributes(size: int | None, owner: tuple[int, int] | None, mode: int | None, time: int | None) -> bytes:
    packed, flags = b"", 0
    for flag, layout, values in (
        (1, ">Q", None if size is None else (size,)),
        (2, ">II", owner),
        (4, ">I", None if mode is None else (mode,)),
        (8, ">II", None if time is None else (0, time)),
    ):
        if values is not None:
            flags |= flag
            packed += struct.pack(layout, *values)
    return struct.pack(">I", flags) + packed


@given(answers, st.data())
def test_answers_survive_any_cut_into_pieces(sent: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(struct.pack(">IBI", 5 + len(body), kind, number) + body for number, kind, body in sent)
    received: list[tuple[int, int, bytes]] = []
    rest = b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        taken, rest = split(rest + stream[:size])
        received += [(number, answer.kind, answer.body) for number, answer in taken]
        stream = stream[size:]
    assert (received, rest) == (sent, b"")


@given(st.binary(max_size=300))
def test_no_bytes_from_a_server_raise_anything_else(received: bytes) -> None:
    with suppress(ProtocolError):
        split(received)


@given(st.binary(max_size=200), st.sampled_from([status_of, handle_of, data_of, attributes_of, names_of]))
def test_no_body_from_a_server_raises_anything_else(body: bytes, decode: Callable[[Answer], Any]) -> None:
    for kind in PacketType:
        with suppress(ProtocolError):
            decode(Answer(kind, body))


@pytest.mark.parametrize("length", [0, 4, MAX_ANSWER + 1, int.from_bytes(b"Welc", "big")])
def test_a_packet_of_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        split(struct.pack(">I", length) + b"ome!!")


@given(u32, st.binary(max_size=100), st.binary(max_size=100))
def test_a_request_is_framed_with_its_length(number: int, body: bytes, payload: bytes) -> None:
    packet = b"".join(encode(Request(PacketType.WRITE, body, payload), number))
    assert struct.unpack_from(">IBI", packet) == (len(packet) - 4, PacketType.WRITE, number)
    assert packet[9:] == body + payload


@given(st.binary(min_size=1, max_size=256), st.integers(0, 200_000))
def test_writes_carry_the_whole_content_and_fill_their_packets(handle: bytes, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    written, lengths = bytearray(), []
    for request in requests.writes(handle, content):
        offset, length = struct.unpack(">QI", request.body[-12:])
        assert (offset, length) == (len(written), len(request.payload))
        written += request.payload
        lengths.append(sum(map(len, encode(request, 1))))
    assert bytes(written) == content
    assert all(length == SSH_PAYLOAD for length in lengths[:-1])
    assert all(length <= SSH_PAYLOAD for length in lengths)


@given(attributes)
def test_attributes_are_read_whichever_are_there(
    fields: tuple[int | None, tuple[int, int] | None, int | None, int | None],
) -> None:
    size, _, mode, time = fields
    assert attributes_of(Answer(PacketType.ATTRS, packed_attributes(*fields))) == Attributes(size, mode, time)


def test_attributes_with_extensions_are_read() -> None:
    body = struct.pack(">IQI", 0x80000001, 7, 1) + string(b"name") + string(b"value")
    assert attributes_of(Answer(PacketType.ATTRS, body)) == Attributes(7, None, None)


@given(st.lists(st.tuples(st.binary(max_size=20), attributes), max_size=5))
def test_names_are_read_whatever_their_bytes(entries: list[tuple[bytes, Any]]) -> None:
    """A7."""
    body = struct.pack(">I", len(entries))
    body += b"".join(string(name) + string(b"-rw-r--r--") + packed_attributes(*fields) for name, fields in entries)
    found = names_of(Answer(PacketType.NAME, body))
    assert [name.encode("utf-8", "surrogateescape") for name, _ in found] == [name for name, _ in entries]


def test_a_status_without_a_message_is_read() -> None:
    """F7: some servers leave it out."""
    assert status_of(Answer(PacketType.STATUS, struct.pack(">I", 4))) == (4, b"")


def test_another_kind_of_answer_than_was_due_is_refused() -> None:
    with pytest.raises(ProtocolError, match="HANDLE"):
        handle_of(Answer(PacketType.DATA, string(b"x")))


def test_what_a_server_offers_is_read_from_its_version() -> None:
    offered = b"".join(map(string, (b"fsync@openssh.com", b"1", b"posix-rename@openssh.com", b"1")))
    assert extensions_of(Answer(PacketType.VERSION, offered)) == {b"fsync@openssh.com", b"posix-rename@openssh.com"}
    assert extensions_of(Answer(PacketType.VERSION, b"")) == frozenset()
