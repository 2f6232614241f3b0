"""Every mutant still applies, so that a refactoring takes the list along."""

import ast
from pathlib import Path

import pytest

from tests.mutants.mutant import ROOT, Mutant, areas, mutants_of

MUTANTS = [mutant for area in areas() for mutant in mutants_of(area)]


def test_there_are_mutants_in_every_area() -> None:
    assert len(areas()) >= 10
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS) >= 200


@pytest.mark.parametrize("area", areas())
def test_the_text_of_every_mutant_occurs_exactly_once(area: str) -> None:
    for mutant in mutants_of(area):
        assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1, mutant


@pytest.mark.parametrize("area", areas())
def test_every_mutant_changes_the_program_and_still_compiles(area: str) -> None:
    for mutant in mutants_of(area):
        text = (ROOT / mutant.file).read_text(encoding="utf-8")
        before, after = (ast.dump(ast.parse(each)) for each in (text, text.replace(mutant.old, mutant.new)))
        assert before != after, mutant


@pytest.mark.parametrize("area", areas())
def test_the_tests_that_a_mutant_names_exist(area: str) -> None:
    for mutant in mutants_of(area):
        assert mutant.tests or mutant.equivalent, mutant
        paths = [argument.partition("::")[0] for argument in mutant.tests if argument.startswith("tests/")]
        assert paths, mutant
        assert all((ROOT / path).exists() for path in paths), mutant


def test_a_text_that_is_missing_or_ambiguous_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    for old in ("c = 1", "= 1"):
        mutant = Mutant(area="x", slip="x", file="code.py", old=old, new="d", tests=())
        with pytest.raises(ValueError, match="occurs"):
            mutant.apply(tmp_path)
    assert (tmp_path / "code.py").read_text() == "a = 1\nb = 1\n"


def test_a_mutant_is_applied_and_the_text_from_before_is_returned(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 2\n")
    mutant = Mutant(area="x", slip="x", file="code.py", old="b = 2", new="b = 3", tests=())
    assert mutant.apply(tmp_path) == "a = 1\nb = 2\n"
    assert (tmp_path / "code.py").read_text() == "a = 1\nb = 3\n"
