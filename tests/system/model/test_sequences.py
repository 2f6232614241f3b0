"""200 sequences in parts, the same ones each time; the torture suite runs 10,000 others on each database."""

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.system.model.run import of
from tests.system.model.sequences import Sequences
from tests.system.model.world import stage

# The part of this seed alone comes to all that is in `HAPPENED`, and runs with the fast tests.
COMES_TO_ALL = 0
SEEDS = [COMES_TO_ALL, *(pytest.param(number, marks=pytest.mark.full) for number in range(1, 8))]
PART = 25
# Or else the sequences would show nothing of these.
HAPPENED = {
    "push", "push, refused", "deliver", "deliver, killed", "deliver, answer lost", "deliver, database gone",
    "the folder is lost", "change the folder", "disable", "rotate keys", "lose the keys", "the clock goes on",
    "ack", "error ack", "half an answer", "poll", "poll, killed", "give up", "retry",
}  # fmt: skip


# Ten seconds alone; on a machine that does much else, more than a minute.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", SEEDS)
@pytest.mark.django_db(transaction=True)
def test_no_sequence_leads_to_an_illegal_state(number: int) -> None:
    """F1, F2, F13, F20, F21, F23, F25, F26; A1 to A6, A16."""
    with stage() as new_world:
        Sequences.begin_anew(new_world)
        run_state_machine_as_test(seed(number)(Sequences), settings=of(PART, derandomize=False))
    assert Sequences.settled >= PART
    if number == COMES_TO_ALL:
        assert set() == HAPPENED - Sequences.counts.keys()
