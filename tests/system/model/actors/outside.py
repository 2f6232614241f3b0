"""What the ERP does, what becomes of the place, and the clock."""

import os
from datetime import timedelta
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.system.model.actors.erp import FOLDERS
from tests.system.model.rules import LEASE, Rules, picked, picks

SPANS = (LEASE, timedelta(minutes=20), timedelta(hours=13))


class Outside(Rules):
    def __init__(self) -> None:
        super().__init__()
        self.orphans = 0

    @rule()
    @precondition(lambda self: self.erp.has_files())
    def erp_takes(self) -> None:
        self.erp.take()
        self.count("the ERP takes its files")

    @rule(pick=picks, accepted=st.booleans(), again=st.booleans())
    @precondition(lambda self: self.erp.documents)
    def erp_answers(self, pick: int, accepted: bool, again: bool) -> None:
        """Also one that it has answered before, or that has been given up, or superseded."""
        export = picked(list(self.erp.documents), pick)
        self.count(f"{'ack' if accepted else 'error ack'}{self._standing(export)}")
        self.erp.answer(self.world.acks, export, accepted=accepted, again=again)

    @rule(pick=picks, accepted=st.booleans())
    @precondition(lambda self: self.erp.documents)
    def erp_answers_half(self, pick: int, accepted: bool) -> None:
        self.erp.answer(self.world.acks, picked(list(self.erp.documents), pick), accepted=accepted, is_whole=False)
        self.count("half an answer")

    @rule(pick=picks)
    @precondition(lambda self: self.erp.halves())
    def erp_completes(self, pick: int) -> None:
        self.erp.complete(picked(self.erp.halves(), pick))
        self.count("half an answer completed")

    @rule()
    @precondition(lambda self: self.orphans < 1 and self.erp.answers)
    def somebody_elses_answer(self) -> None:
        self.orphans += 1
        (self.world.acks / "ack_sales_order_of_a_neighbour.json").write_bytes(b"{}")
        self.count("orphan")

    @rule(span=st.sampled_from(SPANS))
    @precondition(lambda self: self.exports())
    def time_passes(self, span: timedelta) -> None:
        self.world.pass_time(span)
        self.count("the clock goes on")

    @rule()
    @precondition(lambda self: self.has_pending)
    def folder_is_lost(self) -> None:
        self.lose_folder()
        self.count("the folder is lost")

    @rule()
    @precondition(lambda self: self.lost_folders())
    def folder_is_back(self) -> None:
        self.find_folder()
        self.count("the folder is back")

    @rule()
    @precondition(lambda self: self.is_staged)
    def place_moves(self) -> None:
        """The connection leads elsewhere, or back."""
        first, second = self.world.roots
        self.world.move_to(second if self.world.place.parent == first else first)
        self.account.may_be_undecided = True
        self.count("the place moves")

    @rule()
    @precondition(lambda self: self.is_staged)
    def temporary_loses_bytes(self) -> None:
        """As after a power cut at the server."""
        for path in self.world.temporaries():
            os.truncate(path, path.stat().st_size // 2)
            self.count("a temporary loses bytes")

    def answer_all(self) -> None:
        for export in self.unanswered():
            self.erp.answer(self.world.acks, export, accepted=True)

    def unanswered(self) -> list[str]:
        self.erp.look()
        answered = {answer.export for answer in self.erp.answers if answer.is_whole}
        return [export for export in self.erp.documents if export not in answered]

    def lose_folder(self) -> None:
        """Both: a share that is not mounted."""
        self.erp.look()
        self.account.may_be_undecided = True
        for name in FOLDERS:
            if (self.world.place / name).exists():
                (self.world.place / name).rename(self.world.place / f"lost_{name}")

    def lost_folders(self) -> list[Path]:
        return [path for root in self.erp.roots for path in root.glob("lost_*")]

    def find_folder(self) -> None:
        for path in self.lost_folders():
            path.rename(path.with_name(path.name.removeprefix("lost_")))

    def _standing(self, export: str) -> str:
        e = self.account.before.exports[export]
        if e.id in self.account.before.superseded:
            return " of a superseded export"
        return " of a settled export" if e.fate else ""
