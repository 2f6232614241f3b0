"""One module each, with `run(torture) -> Result`; each runs in a process of its own, in which Django is set up."""

from pathlib import Path

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))
# Those with PostgreSQL and Redis behind Django's settings; the others have SQLite and the embedded broker.
ON_SERVERS = frozenset({"hung_servers", "kills", "restarts", "rotation"})
