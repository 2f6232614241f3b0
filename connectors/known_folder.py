"""What is known of the folder that a connection puts orders into."""

from django.db import models


class KnownFolder(models.Model):
    # When orders were first put there, by a delivery or a test, since the server, the user or the folder was edited.
    worked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
