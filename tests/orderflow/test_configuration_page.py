"""docs/reference/configuration.md lists what the settings read, and the queues that they declare."""

import re

from django.conf import settings

from connectors.failpoints import VARIABLE
from tests.support.installation import ROOT
from tests.support.product.configuration_page import PAGE, SETTINGS, first_cells

# Not a setting: it names the file that settings come from.
ENV_FILE = "ENV_FILE"


def test_every_setting_is_documented_and_no_other() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', SETTINGS))
    assert len(read) > 40
    assert first_cells(PAGE.partition("\n## ")[0]) == read | {VARIABLE}
    assert ENV_FILE in PAGE


def test_every_queue_is_documented_and_no_other() -> None:
    section = PAGE.partition("\n## Queues\n")[2].partition("\n## ")[0]
    assert first_cells(section) == {queue.name for queue in settings.CELERY_TASK_QUEUES}


def test_workers_of_one_page_that_take_some_queues_take_all_together() -> None:
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}
    texts = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md")}
    pages = {name: re.findall(r"-Q ([a-z,]+)", text) for name, text in texts.items()}
    assert {name: set(",".join(taken).split(",")) for name, taken in pages.items() if taken} == {
        "scaling.md": queues,
        "webhooks.md": queues,
    }
