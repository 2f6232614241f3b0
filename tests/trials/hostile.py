"""What an ERP, its neighbours or somebody who means ill may leave in a folder of answers."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle
from pathlib import Path

GOOD = json.dumps({"status": "ACKED", "erp_order_id": "SO-1", "processed_at": "2026-11-23T10:01:00Z"}).encode()

# Under the name of an answer that is awaited.
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "half written": GOOD[: len(GOOD) // 2],
    "100,000 levels deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a key twice": b'{"status": "FAILED", "status": "ACKED"}',
    "one status twice": b'{"status": "ACKED", "status": "ACKED"}',
    "NUL, as it is": b'{"status": "ACKED\0"}',
    "no object": b'["ACKED"]',
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a text without an end": b'{"status": "ACKED", "message": "' + b'\\"' * 400_000 + b"}",
    "a long number": b'{"status": "DONE", "erp_order_id": 1' + b"0" * 400_000 + b"}",
    "a long text": b'{"status": "' + b"a" * 400_000 + b'"}',
    "many values": b'{"status": "ACKED", "a": [' + b"[]," * 300_000 + b"0]",
    "noise": bytes(range(256)) * 200,
}
# Their status is clear; what else they say is beyond all measure.
BLURRED: dict[str, bytes] = {
    "a long number": b'{"status": "ACKED", "erp_order_id": 1' + b"0" * 4000 + b"}",
    "a longer number": b'{"status": "ACKED", "erp_order_id": 1' + b"0" * 400_000 + b"}",
    "a long text": b'{"status": "ACKED", "erp_order_id": "' + b"a" * 400_000 + b'"}',
    "a year too far": b'{"status": "ACKED", "processed_at": "99999-01-01T00:00:00Z"}',
    "a long list": b'{"status": "ACKED", "message": [' + b"[]," * 300_000 + b"0]}",
    "NaN": b'{"status": "ACKED", "n": NaN}',
    "1e400": b'{"status": "ACKED", "n": 1e400}',
    "NUL, escaped": b'{"status": "ACKED", "erp_order_id": "\\u0000"}',
    "NUL in a text": b'{"status": "ACKED", "message": "' + b"\0" * 400_000 + b'"}',
    "half a surrogate pair": b'{"status": "ACKED", "message": "\\ud800"}',
    "Latin-1": '{"status": "ACKED", "message": "Gr\u00f6\u00dfe"}'.encode("latin-1"),
    "many words": b'{"status": "ACKED", "message": [' + b"x," * 400_000 + b"]}",
    "many blanks": b'{"status": "ACKED", "n": 007,' + b" " * 800_000 + b"}",
    "a long word": b'{"status": "ACKED", "n": ' + b"x" * 800_000 + b"}",
}
NAMES: Sequence[Callable[[int], bytes]] = (
    lambda n: b"ack_\xff\xfe_%d.json" % n,
    lambda n: b"ack_\xe4\xf6\xfc_%d.json" % n,
    lambda n: b"ack_\x1b[31mred_%d.json" % n,
    lambda n: b"ack_line\r\n_%d.json" % n,
    lambda n: b"ack_..\\..\\etc\\passwd_%d.json" % n,
    lambda n: b"ack_" + b"a" * 230 + b"_%d.json" % n,
    lambda n: b"ack_sales_order_of_somebody_else_%d.json" % n,
    lambda n: b"error_sales_order_of_somebody_else_%d.json.json" % n,
    lambda n: "ack_\u202e_%d.json".encode() % n,
    lambda n: b"ack_%%s%%n_%d.json" % n,
    lambda n: b"readme_%d.txt" % n,
)


def fill(folder: Path, awaited: Sequence[str], answered: Sequence[str], many: int) -> dict[str, int]:
    """`many` hostile entries, a third of them under names of answers to exports: to those that get no good one, and
    beside the good one of the others. How many of each kind."""
    names = _names_of_answers(awaited, answered)
    kinds = cycle([*CONTENTS, "larger than any answer", "folder", "FIFO", "link to a secret", "link to nothing"])
    made: dict[str, int] = {}
    secret = folder / "secret"
    secret.write_bytes(GOOD)
    for kind, name in zip(kinds, names, strict=False):
        if sum(made.values()) >= many // 3:
            break
        _make(kind, folder / name, secret)
        made[kind] = made.get(kind, 0) + 1
    number = count()
    for spelled in cycle(NAMES):
        if sum(made.values()) >= many:
            return made
        (Path(os.fsdecode(bytes(folder) + b"/" + spelled(next(number))))).write_bytes(GOOD)
        made["hostile name"] = made.get("hostile name", 0) + 1
    return made


def _names_of_answers(awaited: Sequence[str], answered: Sequence[str]) -> Iterator[str]:
    """No name that makes a good answer: those to `answered` are `ack_<name>`."""
    for name in awaited:
        yield from (f"ack_{name}", f"ack_{name}.json", f"error_{name}", f"error_{name}.json")
    for name in answered:
        yield from (f"error_{name}", f"error_{name}.json")


def _make(kind: str, path: Path, secret: Path) -> None:
    if kind in CONTENTS:
        path.write_bytes(CONTENTS[kind])
    elif kind == "larger than any answer":
        path.touch()
        os.truncate(path, 2 * 1024**3)
    elif kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to(secret if kind == "link to a secret" else "nowhere")
