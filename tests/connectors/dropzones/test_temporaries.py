import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dropzones.temporaries import OLD_AFTER, final_name, is_old

NAME = st.text("abcXYZ019._-", min_size=1, max_size=20)


@given(before=NAME | st.just(""), name=NAME, after=NAME | st.just(""))
def test_the_name_behind_a_temporary_one_is_found_again(before: str, name: str, after: str) -> None:
    """F14."""
    assert final_name(f"{before}{name}{after}", f"{before}{{name}}{after}") == name


@pytest.mark.parametrize(
    ("temporary", "pattern"),
    [("a.json", "{name}.tmp"), (".tmp", "{name}.tmp"), ("a.tmp", "tmp_{name}"), ("ab", "ab{name}b"), ("x", "{name}xx")],
)
def test_a_name_of_another_form_has_none_behind_it(temporary: str, pattern: str) -> None:
    """F14."""
    assert final_name(temporary, pattern) is None


def test_a_file_is_old_a_day_after_its_last_change() -> None:
    """F14: whatever the server's clock says beside ours by some hours."""
    limit = OLD_AFTER.total_seconds()
    assert is_old(1000, 1000 + limit + 1)
    assert not is_old(1000, 1000 + limit)
    assert not is_old(5000, 1000)
