"""A9: a connector that is missing, incomplete or at fault is named by the check, and no page or call fails over it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from io import StringIO
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django import forms
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from connectors.base_connector import BaseConnector
from connectors.checks import third_party_connectors
from connectors.dropzones.connector import DropzoneConnector
from connectors.exceptions import ConfigError, RejectedError, TransientError
from connectors.models import ERPConnection
from connectors.ports import ExportAttempt, ExportDocument, ExportResult, TestResult
from connectors.registry import registry
from connectors.types.config_form import ConfigForm
from connectors.types.sales_order import SalesOrder
from exports import ack_poller, tasks
from exports.decisions import in_doubt
from exports.delivery import drain
from exports.models import ERPExport
from orderflow.orders.models import DraftOrder
from orderflow.tenancy.models import Organization
from orderflow.tenancy.roles import Role
from tests.conftest import MakeOrder
from tests.exports.conftest import Push
from tests.support.admin.connection_tests import run_tests
from tests.support.api.problems import problem
from tests.support.tenants import list_url, log_in, page_url

TYPE = "BROKEN"
CONNECTIONS = "/api/v1/erp-connections/"
Use = Callable[[Any], None]


class FolderForm(ConfigForm):
    folder = forms.CharField(required=False)


class Whole(BaseConnector):
    """Has everything. The tests break one thing of it."""

    label = "Whole"
    config_form: ClassVar[Any] = FolderForm

    def get_connector_type(self) -> str:
        return TYPE

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:  # noqa: ARG002 - the port's
        return f"{attempt.export_id}.csv"

    def render(self, draft_order: SalesOrder, attempt: ExportAttempt) -> ExportDocument:  # noqa: ARG002
        return ExportDocument(filename="x", content=b"x", sha256="")

    def export(self, draft_order: Any, config: Any, *, attempt: Any = None) -> ExportResult:  # noqa: ARG002
        raise TransientError("Never.")

    def test_connection(self, config: Mapping[str, Any], *, on_step: Any = None) -> Any:  # noqa: ARG002
        return TestResult(success=True, latency_ms=1)


class RaisingForm(FolderForm):
    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise KeyError("form")


class Incomplete(DropzoneConnector):
    """As the guide once showed it."""

    label = "Incomplete"

    def get_connector_type(self) -> str:
        return TYPE

    def document_name(self, draft_order_id: UUID, attempt: ExportAttempt) -> str:  # noqa: ARG002
        return "x"

    def render_content(self, draft_order: SalesOrder) -> bytes:  # noqa: ARG002
        return b""


def without(name: str) -> Any:
    kept = {k: v for k, v in vars(Whole).items() if k != name and not k.startswith("_")}
    return type("Broken", (BaseConnector,), kept)


def raising(*_args: Any, **_kwargs: Any) -> Any:
    raise KeyError("hunter2")


UNFIT: dict[str, tuple[Any, str]] = {
    "incomplete": (Incomplete, "It lacks the methods answered_export, parse_answer."),
    "one method": (without("render"), "It lacks the method render."),
    "no label": (without("label"), "Its attribute label is missing or no text."),
    "no form": (without("config_form"), "Its attribute config_form is missing"),
    "wrong form": (type("Broken", (Whole,), {"config_form": forms.Form}), "config_form is missing or no subclass"),
    "raising form": (type("Broken", (Whole,), {"config_form": RaisingForm}), "config_form cannot be made: KeyError."),
    "unknown secret": (type("Broken", (Whole,), {"secret_fields": frozenset({"pin"})}), "has no field 'pin'."),
    "secrets of the wrong type": (type("Broken", (Whole,), {"secret_fields": 7}), "secret_fields is no frozenset"),
    "raising constructor": (type("Broken", (Whole,), {"__init__": raising}), "failed unexpectedly with KeyError"),
    "no class": ("connector", "is no subclass of connectors.base_connector.BaseConnector"),
    "another class": (dict, "is no subclass of connectors.base_connector.BaseConnector"),
}


@pytest.fixture
def use(connection: ERPConnection, monkeypatch: pytest.MonkeyPatch) -> Use:
    """The connection is one of that connector."""

    def use(connector: Any) -> None:
        monkeypatch.setitem(registry._connectors, TYPE, connector)
        ERPConnection.objects.update(connector_type=TYPE)
        connection.refresh_from_db()
        connection.set_config({"folder": "in"})
        connection.save()

    return use


@pytest.fixture
def client(organization: Organization) -> Client:
    return log_in(organization, Role.ADMIN)


@pytest.mark.parametrize("name", UNFIT)
def test_the_check_names_what_is_missing(name: str, use: Use) -> None:
    connector, reason = UNFIT[name]
    use(connector)
    (message,) = third_party_connectors()
    assert TYPE in message.msg
    assert reason in message.msg
    assert "hunter2" not in message.msg
    out = StringIO()
    call_command("check", stderr=out)
    assert reason.split(":")[0] in " ".join(out.getvalue().split())


def test_a_whole_connector_passes_the_check(use: Use) -> None:
    use(Whole)
    assert third_party_connectors() == []


@pytest.mark.parametrize("name", [*UNFIT, "not installed"])
def test_no_page_of_the_admin_fails(name: str, use: Use, client: Client, push: Push, make_order: MakeOrder) -> None:
    export, order = push(), make_order()
    connection = export.connection
    in_doubt.mark({export.pk: "In doubt."}, 0)
    use(UNFIT[name][0] if name in UNFIT else Whole)
    if name not in UNFIT:
        ERPConnection.objects.update(connector_type="GONE")
    add = list_url(ERPConnection, "add")
    pages = [
        "/admin/", list_url(ERPConnection), page_url(connection), page_url(connection, "history"), add,
        f"{add}?connector_type={TYPE}", f"{add}?connector_type=GONE", list_url(ERPExport), page_url(export),
        page_url(order),
    ]  # fmt: skip
    for page in pages:
        assert client.get(page).status_code == 200, page
    assert client.post(f"{add}?connector_type={TYPE}", {"name": "New", "status": "ACTIVE"}).status_code in (200, 302)
    data = {"name": "Renamed", "status": "ACTIVE", "organization": str(connection.organization_id)}
    assert client.post(page_url(connection), data).status_code in (200, 302)
    assert client.post(page_url(connection, "do", "test")).status_code == 302
    assert client.post(f"/admin/connectors/erpconnection/{connection.pk}/connection-test/", data).status_code == 200
    told = client.post(page_url(order, "do", "push"), follow=True)
    assert "1 refused." in told.content.decode()
    assert DraftOrder.objects.get(pk=order.pk).status == "APPROVED"
    decided = client.post(page_url(export, "do", "mark_delivered"), {"confirmed": "yes", "reason": "seen"})
    assert decided.status_code == 302


@pytest.mark.parametrize("name", [*UNFIT, "not installed"])
def test_no_call_of_the_api_fails(
    name: str, use: Use, api: APIClient, connection: ERPConnection, make_order: MakeOrder
) -> None:
    order = make_order()
    use(UNFIT[name][0] if name in UNFIT else Whole)
    if name not in UNFIT:
        ERPConnection.objects.update(connector_type="GONE")
    address = f"{CONNECTIONS}{connection.pk}/"
    assert api.get(CONNECTIONS).status_code == 200
    assert api.get(address).status_code == 200
    types = api.get("/api/v1/connector-types/")
    assert types.status_code == 200
    assert "DROPZONE_JSON_V1" in [row["connector_type"] for row in types.json()]
    assert api.patch(address, {"name": "Renamed"}, format="json").status_code == 200
    assert api.patch(address, {"config": {"folder": "x"}}, format="json").status_code in (409, 422)
    new = {"name": "New", "connector_type": TYPE if name in UNFIT else "GONE", "config": {}}
    assert api.post(CONNECTIONS, new, format="json").status_code in (409, 422)
    tested = api.post(f"{address}test/", {}, format="json")
    assert (tested.status_code, tested.json()["success"]) == (200, False)
    rejected = problem(api.post(f"/api/v1/draft-orders/{order.pk}/push/", {}), 409, "connector_unusable")
    assert TYPE in rejected["detail"] or "GONE" in rejected["detail"]
    many = api.post("/api/v1/draft-orders/push/", {"ids": [str(order.pk)]}, format="json").json()
    assert many["results"][0]["problem"]["code"] == "connector_unusable"
    assert DraftOrder.objects.get(pk=order.pk).status == "APPROVED"


def test_a_connection_whose_connector_went_missing_is_blocked_and_its_orders_wait(
    push: Push, use: Use, connection: ERPConnection
) -> None:
    use(Whole)
    export = push()
    use(Incomplete)
    for _ in range(3):
        drain.drain(connection.pk)
        tasks.sweep()
    export.refresh_from_db()
    connection.refresh_from_db()
    assert (export.status, export.undecided_since, export.tries) == ("PENDING", None, 0)
    assert "It lacks the methods answered_export, parse_answer." in connection.blocked_reason


class Monster(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


RESULTS: dict[str, Any] = {
    "none": lambda *_: None,
    "a dict": lambda *_: {"success": True},
    "flags of the wrong type": lambda *_: TestResult(success="yes", latency_ms=0),  # type: ignore[arg-type]
    "garbage fields": lambda *_: TestResult(
        success=False, latency_ms=float("inf"), error_message=b"\0", steps=[7], host_key={}  # type: ignore[arg-type]
    ),
    "a hostile text": lambda *_: TestResult(success=False, latency_ms=-(10**30), error_message="\0\ud800" * 100_000),
    "KeyError": raising,
}  # fmt: skip


def raises(error: BaseException) -> Callable[..., Any]:
    def test_connection(*_args: Any, **_kwargs: Any) -> Any:
        raise error

    return test_connection


RESULTS |= {
    type(error).__name__: raises(error)
    for error in (TransientError("\0"), RejectedError("No."), ConfigError("x", field=7), Monster())  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_test_that_goes_wrong_is_a_failed_test(
    name: str, use: Use, api: APIClient, client: Client, connection: ERPConnection
) -> None:
    result = RESULTS[name]
    use(type("Broken", (Whole,), {"test_connection": lambda _self, config, **_: result(config)}))
    tested = api.post(f"{CONNECTIONS}{connection.pk}/test/", {}, format="json")
    assert (tested.status_code, tested.json()["success"]) == (200, False)
    assert tested.json()["error_message"]
    assert "hunter2" not in tested.content.decode()
    client.post(page_url(connection, "do", "test"))
    run_tests()
    page = client.get(page_url(connection)).content.decode()
    assert "Failed" in page


def test_steps_that_are_none_end_the_test(use: Use, api: APIClient, connection: ERPConnection) -> None:
    def test_connection(self: object, config: object, *, on_step: Any = None) -> TestResult:
        on_step({"name": "x"})
        return TestResult(success=True, latency_ms=1)

    use(type("Broken", (Whole,), {"test_connection": test_connection}))
    client = log_in(connection.organization, Role.ADMIN)
    client.post(page_url(connection, "do", "test"))
    run_tests()
    connection.refresh_from_db()
    assert connection.last_test_success is False


NAMES: dict[str, Any] = {
    "too long": "x" * 121,
    "of a folder": "in/order.csv",
    "of another folder": "..\\order.csv",
    "the folder itself": "..",
    "empty": "",
    "with a line feed": "order\n.csv",
    "with a NUL": "order\0.csv",
    "no text": 7,
    "none": None,
}


@pytest.mark.parametrize("name", [*NAMES, "raising"])
def test_a_name_that_no_file_can_have_pushes_nothing(
    name: str, use: Use, api: APIClient, client: Client, make_order: MakeOrder
) -> None:
    order = make_order()
    named = raising if name not in NAMES else lambda *_args: NAMES[name]
    use(type("Broken", (Whole,), {"document_name": named}))
    problem(api.post(f"/api/v1/draft-orders/{order.pk}/push/", {}), 409, "connector_unusable")
    page = client.post(page_url(order, "do", "push"), follow=True).content.decode()
    assert "1 refused." in page
    assert not ERPExport.objects.exists()
    assert DraftOrder.objects.get(pk=order.pk).status == "APPROVED"


def test_a_name_that_is_taken_pushes_nothing_more(
    use: Use, api: APIClient, client: Client, make_order: MakeOrder
) -> None:
    use(type("Broken", (Whole,), {"document_name": lambda *_args: "order.csv"}))
    first, second = make_order(), make_order()
    assert api.post(f"/api/v1/draft-orders/{first.pk}/push/", {}).status_code == 202
    rejected = problem(api.post(f"/api/v1/draft-orders/{second.pk}/push/", {}), 409, "connector_unusable")
    assert "a name that an earlier export of the connection has" in rejected["detail"]
    assert "1 refused." in client.post(page_url(second, "do", "push"), follow=True).content.decode()
    assert DraftOrder.objects.get(pk=second.pk).status == "APPROVED"


class Decimals(ConfigForm):
    amount = forms.DecimalField(initial=1)


class RaisingClean(FolderForm):
    def clean(self) -> dict[str, Any]:
        raise KeyError("hunter2")


class RaisingField(forms.CharField):
    def clean(self, value: Any) -> Any:  # noqa: ARG002 - Django's
        raise KeyError("hunter2")


class WithRaisingField(ConfigForm):
    folder = RaisingField(required=False)


@pytest.mark.parametrize("form", [Decimals, RaisingClean, WithRaisingField], ids=lambda form: form.__name__)
def test_a_form_that_goes_wrong_saves_nothing_and_says_so(
    form: type[ConfigForm], use: Use, api: APIClient, client: Client, connection: ERPConnection
) -> None:
    use(type("Broken", (Whole,), {"config_form": form}))
    name = next(iter(form.base_fields))
    answer = api.patch(f"{CONNECTIONS}{connection.pk}/", {"config": {name: "1.5"}}, format="json")
    assert answer.status_code in (409, 422)
    assert "hunter2" not in answer.content.decode()
    data = {"name": "Renamed", "status": "ACTIVE", f"config_{name}": "1.5"}
    page = client.post(page_url(connection), data)
    assert page.status_code == 200
    assert "hunter2" not in page.content.decode()
    connection.refresh_from_db()
    assert (connection.name, connection.stored_config()) == ("Folder", {"folder": "in"})


class Inbox:
    def __init__(self, broken: str) -> None:
        self.broken = broken

    def entries(self) -> Iterator[Any]:
        yield from ()
        if self.broken == "entries":
            raise KeyError("x")

    def __enter__(self) -> "Inbox":
        if self.broken == "enter":
            raise KeyError("x")
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("broken", ["answer_due", "open", "enter", "entries"])
def test_acks_that_cannot_be_read_are_an_error_that_people_see(
    broken: str, use: Use, connection: ERPConnection
) -> None:
    reading = {
        "answer_due": raising if broken == "answer_due" else lambda *_: timedelta(hours=1),
        "open_inbox": raising if broken == "open" else lambda *_: Inbox(broken),
    }
    use(type("Broken", (Whole,), reading))
    with pytest.raises(ConfigError, match="failed unexpectedly with KeyError"):
        ack_poller.poll(connection.pk)
    assert "failed unexpectedly" in connection.lanes.get(kind="ACKS").last_error
