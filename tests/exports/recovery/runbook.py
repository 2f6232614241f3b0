"""The commands of docs/how-to/back-up-and-restore.md, by the name that each has there."""

import re

from tests.support.installation import ROOT

PAGE = (ROOT / "docs" / "how-to" / "back-up-and-restore.md").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"<!-- run: ([a-z ]+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
