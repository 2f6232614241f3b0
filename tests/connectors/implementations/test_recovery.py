"""Once, on every server: what a try finds that comes after a crash, or meets somebody else's file."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from connectors.exceptions import ConfigError
from connectors.implementations.dropzone_json_v1 import DropzoneJsonV1Connector
from connectors.ports import ExportAttempt, ExportResult, Staged
from tests.connectors.contract import Notebook, attempt
from tests.connectors.implementations.conftest import Ground
from tests.connectors.sales_orders import ORDER
from tests.support.temporary_names import temporary_name


class Killed(Exception):
    """Nothing catches it, as nothing catches SIGKILL."""


class LastWords(Notebook):
    """The journal is committed, and that is the last thing that happens."""

    def staged(self, files: Mapping[UUID, Staged]) -> None:
        super().staged(files)
        raise Killed


class Try:
    """One order's export: staged by a first try that was killed, then tried again."""

    def __init__(self, connector: DropzoneJsonV1Connector, ground: Ground) -> None:
        self.connector = connector
        self.ground = ground
        self.first = attempt()
        document = connector.render(ORDER, self.first)
        self.name, self.content = document.filename, document.content
        self.final, self.temporary = ground.orders / self.name, ground.orders / "not staged"

    def die_after_staging(self) -> None:
        journal = LastWords()
        with pytest.raises(Killed):
            list(self.connector.export_many([(ORDER, self.first)], self.ground.config, journal=journal))
        self.first = replace(self.first, staged=journal.files[self.first.export_id])
        self.temporary = self.ground.orders / journal.files[self.first.export_id].path.rpartition("/")[2]
        assert self.ground.arrived() == {self.temporary.name: self.content}

    def run(self) -> ExportResult:
        (result,) = self.connector.export_many([(ORDER, self.first)], self.ground.config, journal=Notebook())
        return result


@pytest.fixture
def again(connector: DropzoneJsonV1Connector, ground: Ground) -> Try:
    return Try(connector, ground)


def publish(again: Try) -> None:
    again.temporary.rename(again.final)


def publish_and_keep(again: Try) -> None:
    again.final.write_bytes(again.content)


def take(again: Try) -> None:
    again.temporary.unlink()


def damage(again: Try) -> None:
    again.temporary.write_bytes(again.content[:10])


def leave(_again: Try) -> None:
    pass


@pytest.mark.parametrize(
    ("happened", "arrives"),
    [(publish, True), (publish_and_keep, True), (leave, True), (damage, True), (take, False)],
)
def test_an_order_that_was_staged_is_there_once(happened: Callable[[Try], None], arrives: bool, again: Try) -> None:
    """F1, F3: the recovery table, and a temporary that has lost bytes since."""
    again.die_after_staging()
    happened(again)
    result = again.run()
    assert result.success, result.error_message
    assert again.ground.arrived() == ({again.name: again.content} if arrives else {})


@pytest.mark.parametrize("is_staged", [True, False])
@pytest.mark.parametrize("other", [b"shorter", None], ids=["other size", "same size"])
def test_somebody_elses_file_is_never_touched(is_staged: bool, other: bytes | None, again: Try) -> None:
    """F5: also on servers whose rename would replace it."""
    if is_staged:
        again.die_after_staging()
    theirs = other or b"x" * len(again.content)
    again.final.write_bytes(theirs)
    result = again.run()
    assert (result.success, result.retryable) == (False, False)
    assert again.name in str(result.error_message)
    assert again.final.read_bytes() == theirs


def test_the_same_bytes_under_the_final_name_are_the_order(again: Try) -> None:
    """F5."""
    again.final.write_bytes(again.content)
    assert again.run().success
    assert again.ground.arrived() == {again.name: again.content}


def test_an_erp_that_takes_files_at_once_gets_each_once(connector: DropzoneJsonV1Connector, ground: Ground) -> None:
    """F8."""
    taken: list[str] = []
    stop = threading.Event()
    erp = threading.Thread(target=_take_all, args=(ground.orders, taken, stop))
    erp.start()
    orders = [(replace(ORDER, draft_order_id=uuid4()), attempt()) for _ in range(50)]
    try:
        results = list(connector.export_many(orders, ground.config, journal=Notebook()))
    finally:
        stop.set()
        erp.join()
    assert [result.error_message for result in results] == [None] * 50
    assert sorted(taken) == sorted(result.document.filename for result in results if result.document)


def _take_all(folder: Path, taken: list[str], stop: threading.Event) -> None:
    """Once more after the end, for what came last."""
    while True:
        is_last = stop.wait(0.001)
        for path in folder.glob("*.json"):
            path.unlink()
            taken.append(path.name)
        if is_last:
            return


def test_a_missing_folder_needs_a_person(connector: DropzoneJsonV1Connector, ground: Ground) -> None:
    """F13."""
    ground.orders.rmdir()
    with pytest.raises(ConfigError, match=ground.config["export_path"]):
        list(connector.export_many([(ORDER, attempt())], ground.config, journal=Notebook()))
    assert not ground.orders.exists()


def test_an_attempt_that_did_not_journal_starts_over_beside_the_temporary_of_the_former_holder(
    connector: DropzoneJsonV1Connector, ground: Ground
) -> None:
    """F1, F14, F30: that file is another's, who may still be writing it."""
    first = ExportAttempt(export_id=uuid4(), created_at=attempt().created_at)
    document = connector.render(ORDER, first)
    former = ground.orders / temporary_name(document.filename, "99-1")
    former.write_bytes(document.content[:10])
    (result,) = connector.export_many([(ORDER, first)], ground.config, journal=Notebook())
    assert result.success, result.error_message
    assert ground.arrived() == {document.filename: document.content, former.name: document.content[:10]}
