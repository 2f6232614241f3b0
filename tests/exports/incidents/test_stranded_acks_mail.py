"""The e-mail about overdue acknowledgements that an edit of their connection left unread."""

from pathlib import Path

import pytest

from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports.incidents.models import Incident
from exports.incidents.tasks import watch
from exports.models import ERPExport
from tests.exports.incidents.conftest import make_overdue
from tests.servers.smtp import Mailbox


@pytest.mark.usefixtures("recipient")
def test_it_names_the_place_where_they_were_expected(
    mailbox: Mailbox, sent: ERPExport, connection: ERPConnection, folder: Path
) -> None:
    changes = ConnectionChanges(config={"ack_path": "elsewhere"}, leave_acks=True)
    connection_service.save(connection, changes, actor="ina")
    make_overdue(sent)
    watch()
    assert Incident.objects.get().kind == "OVERDUE"
    (mail,) = mailbox.mails
    assert f"The acknowledgement was expected in file://{folder}/acks." in mail.get_content()
