"""One module each, with `run(torture) -> Result`; each runs in a process of its own, in which Django is set up."""

from pathlib import Path

NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py")))
# Those with PostgreSQL and Redis behind Django's settings; the others have SQLite and the embedded broker.
ON_SERVERS = frozenset({"hung_servers", "kills", "restarts", "rotation"})
# Those of them that run once more on SQLite and the embedded broker.
ALSO_EMBEDDED = frozenset({"kills", "restarts"})
SERVERS, EMBEDDED = DATABASES = ("postgresql", "sqlite")


def databases_of(name: str) -> tuple[str, ...]:
    """The set-ups that a trial runs on, one after the other. Trials outside `ON_SERVERS` bring further databases of
    their own where these matter."""
    if name not in ON_SERVERS:
        return (EMBEDDED,)
    return DATABASES if name in ALSO_EMBEDDED else (SERVERS,)


def kept_as(name: str, database: str) -> str:
    """The name of a result: the trial's, with the database if this is the second set-up."""
    return name if database == databases_of(name)[0] else f"{name}_{database}"


RUNS = tuple((name, database) for name in NAMES for database in databases_of(name))
