from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dropzones.form import DropzoneForm
from connectors.dropzones.settings import DropzoneSettings, is_marked

NAME = st.text("abcXYZ019._-", min_size=1, max_size=20)


def settings_with(temp_name: str) -> DropzoneSettings:
    defaults: dict[str, Any] = {name: field.initial for name, field in DropzoneForm.base_fields.items()}
    return DropzoneSettings.from_config(
        {**defaults, "mode": "filesystem", "export_path": "in", "ack_path": "", "temp_name": temp_name}
    )


@given(before=NAME | st.just(""), name=NAME, after=NAME | st.just(""))
def test_the_name_behind_a_temporary_one_is_found_again(before: str, name: str, after: str) -> None:
    """F14."""
    settings = settings_with(f"{before}{{name}}{after}")
    assert settings.final_name(settings.temporary_name(name, "17-2")) == name


@pytest.mark.parametrize(
    ("temporary", "pattern"),
    [("a.json", "{name}.tmp"), (".tmp", "{name}.tmp"), ("a.tmp", "tmp_{name}"), ("ab", "ab{name}b"), ("x", "{name}xx")],
)
def test_a_name_of_another_form_has_none_behind_it(temporary: str, pattern: str) -> None:
    """F14."""
    assert settings_with(pattern).final_name(temporary) is None


def test_a_temporary_name_bears_the_mark_of_its_batch() -> None:
    """F30."""
    temporary = settings_with("{name}.tmp").temporary_name("a.json", "17-2")
    assert temporary == "a.t17-2.json.tmp"
    assert is_marked(temporary)
    assert not is_marked("a.json.tmp")


def test_a_document_whose_own_name_looks_marked_keeps_it() -> None:
    settings = settings_with("{name}.tmp")
    assert settings.final_name(settings.temporary_name("a.t1-1.json", "17-2")) == "a.t1-1.json"
