"""docs/reference/api.md has what the code has."""

from collections.abc import Iterator

from orderflow import api_urls
from orderflow.api.errors.problem_codes import CODES
from tests.support.installation import ROOT


def test_the_table_of_codes_is_the_codes() -> None:
    assert api_urls.urlpatterns, "Every API is imported by then, and has declared its codes."
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    table = page.partition("<!-- codes: begin -->\n")[2].partition("<!-- codes: end -->")[0]
    assert table == "\n".join(codes_table()) + "\n"


def codes_table() -> Iterator[str]:
    yield "| status | `code` | what it means, and what to do |"
    yield "| --- | --- | --- |"
    for code, about in sorted(CODES.items(), key=lambda item: (item[1].status, item[0])):
        yield f"| {about.status.value} | `{code}` | {about.meaning} |"
