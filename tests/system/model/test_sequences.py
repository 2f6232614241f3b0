"""200 sequences, the same ones each time; the torture suite runs 10,000 others on each database."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.system.model.run import of
from tests.system.model.sequences import Sequences
from tests.system.model.world import stage

SEQUENCES = 200
# Or else the sequences would show nothing of these.
HAPPENED = {
    "push", "push, refused", "deliver", "deliver, killed", "deliver, answer lost", "deliver, database gone",
    "the folder is lost", "change the folder", "disable", "rotate keys", "lose the keys", "the clock goes on",
    "ack", "error ack", "half an answer", "poll", "poll, killed", "give up", "retry",
}  # fmt: skip


# A minute alone; on a machine that does much else, several.
@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_no_sequence_leads_to_an_illegal_state() -> None:
    """F1, F2, F13, F20, F21, F23, F25, F26; A1 to A6, A16."""
    with stage() as new_world:
        Sequences.begin_anew(new_world)
        run_state_machine_as_test(Sequences, settings=of(SEQUENCES, derandomize=True))
    assert Sequences.settled >= SEQUENCES
    assert set() == HAPPENED - Sequences.counts.keys()
