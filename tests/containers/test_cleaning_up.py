"""What a trial leaves behind, and how it ends, with an engine that runs nothing."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.containers import __main__ as trial
from tests.containers.engine import Engine, TrialFailed

MADE: list[Path] = []
REMOVED: list[Path] = []


class Failing(Engine):
    def prepare(self) -> None:
        MADE.append(self.work)

    def build(self) -> None:
        assert (self.source / ".env").stat().st_mode & 0o077 == 0

    def up(self) -> None:
        raise TrialFailed("db does not start")

    def remove(self) -> None:
        REMOVED.append(self.work)


class Interrupted(Failing):
    def up(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("engine", [Failing, Interrupted])
def test_a_trial_that_fails_or_is_ended_removes_what_it_made(
    engine: type[Engine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    MADE.clear()
    REMOVED.clear()
    monkeypatch.setitem(trial.ENGINES, "docker", engine)
    monkeypatch.setattr(sys, "argv", ["containers", "--engine", "docker", "--bases", "registry"])
    handlers = [(each, signal.getsignal(each)) for each in (signal.SIGTERM, signal.SIGHUP)]
    try:
        with pytest.raises(SystemExit) as ended:
            trial.main()
    finally:
        for each, handler in handlers:
            signal.signal(each, handler)
    assert ended.value.code == 1
    assert len(MADE) == 1
    assert REMOVED == MADE
    assert not MADE[0].exists()
    assert ("db does not start" in capsys.readouterr().out) == (engine is Failing)
