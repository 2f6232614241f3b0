"""The commands of docs/restore.md, by the name that each has there."""

import re

from tests.support.installation import ROOT

PAGE = (ROOT / "docs" / "restore.md").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"<!-- run: ([a-z ]+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
