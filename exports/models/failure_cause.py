"""Why exports fail: stable words to group them by, where error messages name hosts, paths and orders."""

from django.db import models


class Cause(models.TextChoices):
    """The first five are those of `connectors.exceptions`."""

    UNREACHABLE = "UNREACHABLE", "Server not usable, all tries used up"
    REJECTED = "REJECTED", "Order cannot be sent as it is"
    NAME_TAKEN = "NAME_TAKEN", "Another file has the name"
    LEFT_BEHIND = "LEFT_BEHIND", "An earlier try left it in another place"
    # The cause of an export that a person has found not to have arrived.
    UNDECIDED = "UNDECIDED", "In doubt, found not delivered"
    ERP_REFUSED = "ERP_REFUSED", "Refused by the ERP"
    GIVEN_UP = "GIVEN_UP", "Given up, no answer came"
    WITHDRAWN = "WITHDRAWN", "Withdrawn, nothing was sent"


# The ERP may have these orders all the same: a person looks before they are pushed again.
DOUBTFUL = frozenset({Cause.NAME_TAKEN, Cause.LEFT_BEHIND, Cause.GIVEN_UP})
