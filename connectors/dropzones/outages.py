"""A folder that is missing where the connection worked before: most likely its share is not mounted at present."""

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.exceptions import ConnectorError, MissingError, TransientError

# A new folder in the place of a share would look as if the ERP had collected what was staged on the share.
MOUNT_IT = (
    "Its share may not be mounted: mount it. Do not create the folder while orders wait, because they would count as "
    "collected."
)


def as_met(error: ConnectorError, *, worked: bool) -> ConnectorError:
    """`error`, as `TransientError` with other advice if it is a missing folder and the connection `worked` with its
    present folders."""
    if worked and isinstance(error, MissingError):
        again = "It is tried again on the normal schedule."
        return TransientError(f"{error.found} Orders were put there before. {MOUNT_IT} {again}")
    return error


@contextmanager
def folders_may_return(*, worked: bool) -> Iterator[None]:
    """Around the opening of a dropzone. Raises what `as_met` makes of the errors raised inside."""
    try:
        yield
    except MissingError as error:
        met = as_met(error, worked=worked)
        if met is error:
            raise
        raise met from error
