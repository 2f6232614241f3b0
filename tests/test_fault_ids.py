"""Every fault that OrderFlow promises to stand has a test that makes it happen to the whole product."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
# Where deliveries and polls run from the database to the files and back.
WHOLE_PRODUCT = ("exports", "system/acceptance", "system/crashes", "system/model")
ID = re.compile(r"\b[FA]\d{1,2}\b")

FAULTS = {
    "F1": "a crash between any two steps of a delivery",
    "F2": "the answer to the rename is lost",
    "F3": "the server dies between the two halves of a rename",
    "F4": "a rename is reported as failed, whatever became of it",
    "F5": "the final name is taken",
    "F6": "two publishers at once, on a server that overwrites",
    "F7": "a failure without words or number",
    "F8": "the ERP takes the file the moment it appears",
    "F9": "looking at files is not permitted",
    "F10": "the disk is full",
    "F11": "an error at the close",
    "F12": "a short write",
    "F13": "permission denied, missing folder, name too long",
    "F14": "temporary files left over",
    "F15": "a subsystem that says nothing",
    "F16": "a banner that drips or never comes",
    "F17": "the server freezes in the middle of a file",
    "F18": "wrong password or key",
    "F19": "the host key changed",
    "F20": "a worker is killed",
    "F21": "two workers are woken for one lane",
    "F22": "the broker forgets everything",
    "F23": "the database is gone at a commit",
    "F24": "the database is locked",
    "F25": "a config cannot be decrypted",
    "F26": "the connection is edited in the middle of a batch",
    "F27": "the object storage is down",
    "F28": "clocks that are wrong, or jump",
    "F29": "fifty pushes of one order at once",
    "F30": "a worker resumes after its lease has ended",
    "F31": "the same, with an edit of the connection in between",
    "F32": "a network partition heals, and late requests arrive",
    "F33": "a child of a worker is killed on the embedded broker",
    "F34": "the database goes back in time",
    "F35": "a third-party connector returns too little, too much, or raises after it has sent",
    "A1": "an answer before the record of sending",
    "A2": "an empty or half-written answer",
    "A3": "the same answer again",
    "A4": "two answers that contradict each other",
    "A5": "answers to somebody else in one folder",
    "A6": "an answer to a superseded export",
    "A7": "a name that is not UTF-8",
    "A8": "a body that is no answer",
    "A9": "other encodings",
    "A10": "an answer of two gigabytes",
    "A11": "folders, links and FIFOs under the name of an answer",
    "A12": "an answer that vanishes between list and read",
    "A13": "an answer that cannot be moved away",
    "A14": "a hundred thousand files in the folder",
    "A15": "a folder that cannot be listed",
    "A16": "two pollers at once",
    "A17": "files in the folder whose names are not those of answers",
    "A18": "an answer with fields that are not as they should be",
}


def _named(folder: Path) -> Iterator[tuple[str, str]]:
    """Each id in the docstring of a test, with the test."""
    for path in folder.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for found in ID.findall(ast.get_docstring(node) or ""):
                    yield found, f"{path.relative_to(HERE)}::{node.name}"


def test_every_fault_has_a_test_through_the_whole_product() -> None:
    named = {found for folder in WHOLE_PRODUCT for found, _ in _named(HERE / folder)}
    missing = {fault: promise for fault, promise in FAULTS.items() if fault not in named}
    assert not missing, f"No test of {', '.join(WHOLE_PRODUCT)} names these in its docstring: {missing}"


def test_no_test_names_a_fault_that_is_not_listed() -> None:
    assert {test: found for found, test in _named(HERE) if found not in FAULTS} == {}
