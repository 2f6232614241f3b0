"""What an e-mail and the dashboard link to can be opened, and shows what it is about."""

import pytest
from django.utils import timezone

from connectors.models import ERPConnection
from exports.incidents import endings, items, mailer, messages
from exports.incidents.models import Incident
from tests.support.tenants import log_in_superuser

Kind = Incident.Kind
# Their subject is the id of another row.
OF_A_ROW = (Kind.WEBHOOK, Kind.TOKEN, Kind.HOOKDOWN, Kind.HOOKPART)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in OF_A_ROW])
def test_the_page_of_every_incident_opens_without_losing_its_filter(kind: Kind, connection: ERPConnection) -> None:
    incident = Incident.objects.create(
        organization=connection.organization, connection=connection, kind=kind, opened_at=timezone.now()
    )
    path = items.page(incident)
    response = log_in_superuser().get(path)
    # A list that does not know a filter redirects to itself without any.
    assert (response.status_code, path) == (200, path)


def test_every_incident_has_recipients_words_a_next_step_and_an_end() -> None:
    for said in (mailer.WANTED_BY, messages.WHAT, messages.WHAT_TO_DO, endings.NOTHING_LEFT):
        assert set(said) == set(Kind)
