"""What people do: approve, push, retry, give up; and mend or break the connection."""

from django.conf import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from connectors.connections import key_rotation
from connectors.connections import service as connection_service
from connectors.connections.service import ConnectionChanges
from connectors.models import ERPConnection
from exports import push_service
from exports.decisions import give_up, resolve, withdraw
from exports.models import ERPExport
from exports.models.status import ExportStatus, PushRefused
from exports.push_service import PushRequest
from orderflow.orders import approval, editing
from orderflow.orders.models import Customer, DraftOrder
from orderflow.orders.status import OrderStatus
from tests.system.model.rules import Rules, picked, picks
from tests.system.model.world import CONFIG, KEYS, LOST

ORDERS = 3
ACTOR = "Eva"
idempotency_keys = st.sampled_from([None, None, "k1", "k2"])


class People(Rules):
    def __init__(self) -> None:
        super().__init__()
        # What each order's key was first used for: the export and the state that the order was in.
        self._keys: dict[tuple[DraftOrder, str], tuple[ERPExport, OrderStatus]] = {}
        self._key = 0
        self._ring: tuple[str, list[str]] = (KEYS[0], [])
        self._folder = CONFIG["export_path"]

    @initialize(pushed=st.integers(1, 2))
    def begin(self, pushed: int) -> None:
        self.approve()
        self.approve()
        for order in self.orders[:pushed]:
            self._request(order, OrderStatus.APPROVED, None)

    @rule()
    @precondition(lambda self: len(self.orders) < ORDERS)
    def approve(self) -> None:
        order = approval.approve(self.world.new_order(), ACTOR)
        self.orders.append(order)
        self.count("approve")

    @rule(pick=picks, key=idempotency_keys)
    @precondition(lambda self: self.orders)
    def push(self, pick: int, key: str | None) -> None:
        self._request(picked(self.orders, pick), OrderStatus.APPROVED, key)

    @rule(pick=picks, key=idempotency_keys)
    @precondition(lambda self: self.exports(ExportStatus.FAILED))
    def retry(self, pick: int, key: str | None) -> None:
        failed = picked(self.exports(ExportStatus.FAILED), pick)
        self._request(DraftOrder.objects.get(pk=failed.order), OrderStatus.ERROR, key)

    @rule(pick=picks)
    @precondition(lambda self: self.exports(ExportStatus.FAILED))
    def mend_and_approve(self, pick: int) -> None:
        order = DraftOrder.objects.get(pk=picked(self.exports(ExportStatus.FAILED), pick).order)
        if order.status == OrderStatus.ERROR:
            order = editing.edit(order, {"notes": "mended"}, actor=ACTOR)
            approval.approve(order, ACTOR)
            self.account.amended.add(order.pk)
            self.count("mend and approve")

    @rule(pick=picks)
    @precondition(lambda self: self.exports(ExportStatus.SENT))
    def give_up(self, pick: int) -> None:
        export = ERPExport.objects.get(filename=picked(self.exports(ExportStatus.SENT), pick).filename)
        give_up.give_up(export, actor=ACTOR, reason="no answer")
        self.account.given_up.add(export.filename)
        self.count("give up")

    @rule(pick=picks)
    @precondition(lambda self: self.has_pending)
    def withdraw(self, pick: int) -> None:
        seen = picked(self.exports(ExportStatus.PENDING), pick)
        export = ERPExport.objects.get(filename=seen.filename)
        try:
            withdraw.withdraw(export, actor=ACTOR, reason="the ERP was replaced")
        except PushRefused:
            assert seen.staged_path or seen.is_undecided, f"{seen.filename} was not withdrawn"
            self.count("withdraw, refused")
            return
        self.account.given_up.add(seen.filename)
        self.count("withdraw")

    @rule()
    @precondition(lambda self: self.undecided)
    def decide(self) -> None:
        """After a look into the ERP."""
        self.erp.look()
        for name in self.undecided:
            export = ERPExport.objects.get(filename=name)
            is_there = name in self.erp.arrivals
            resolve.decide(export, delivered=is_there, actor=ACTOR, reason="looked it up")
            if not is_there:
                self.account.found_missing.add(name)
            self.count("decide: delivered" if is_there else "decide: not delivered")

    @rule()
    @precondition(lambda self: self.has_pending)
    def edit_connection(self) -> None:
        self.save_again()
        self.count("edit the connection")

    @rule()
    @precondition(lambda self: self.has_pending)
    def change_folder(self) -> None:
        if not self.has_keys:
            return
        self._folder = "in2" if self._folder == "in" else "in"
        self._save(ConnectionChanges(config={**CONFIG, "export_path": self._folder}))
        self.count("change the folder")

    @rule()
    @precondition(lambda self: self.is_staged)
    def rename_customer(self) -> None:
        """Master data: what has been staged is not what would be sent now."""
        Customer.objects.filter(pk=self.world.customer.pk).update(name="Renamed")
        self.account.may_be_undecided = self.account.is_renamed = True
        self.count("rename the customer")

    @rule()
    @precondition(lambda self: self.has_pending)
    def disable_or_enable(self) -> None:
        active = self.connection.status == ERPConnection.Status.ACTIVE
        self.set_active(not active)
        self.count("disable" if active else "enable")

    @rule()
    @precondition(lambda self: self.has_pending)
    def try_connection(self) -> None:
        """Releases a block where it succeeds."""
        if connection_service.test(self.connection, actor=ACTOR).success:
            self.count("release by a test")

    @rule(is_finished=st.booleans())
    @precondition(lambda self: self.has_pending)
    def rotate_keys(self, is_finished: bool) -> None:
        if not self.has_keys:
            return
        self._key += 1
        old, new = KEYS[(self._key - 1) % 2], KEYS[self._key % 2]
        self.world.set_keys(new, old)
        if is_finished:
            assert [each.problem for each in key_rotation.rotate(dry_run=False)] in ([], [""])
            self.world.set_keys(new)
        self.count("rotate keys")

    @rule()
    @precondition(lambda self: self.has_pending)
    def lose_or_find_keys(self) -> None:
        if self.has_keys:
            self._ring = settings.ENCRYPTION_MASTER_KEY, settings.ENCRYPTION_PREVIOUS_KEYS
            self.world.set_keys(LOST)
            self.count("lose the keys")
        else:
            self.find_keys()
            self.count("find the keys")

    @property
    def has_keys(self) -> bool:
        return settings.ENCRYPTION_MASTER_KEY != LOST

    def find_keys(self) -> None:
        if not self.has_keys:
            master, previous = self._ring
            self.world.set_keys(master, *previous)

    def save_again(self) -> None:
        """An edit that changes nothing that matters; without its key, nothing can be laid over the old config."""
        if self.has_keys:
            self._save(ConnectionChanges(config={**CONFIG, "export_path": self._folder, "timeout_s": 31}))

    def set_active(self, active: bool) -> None:
        status = ERPConnection.Status.ACTIVE if active else ERPConnection.Status.DISABLED
        self._save(ConnectionChanges(status=status))

    def _save(self, changes: ConnectionChanges) -> None:
        connection_service.save(self.connection, changes, actor=ACTOR)

    def _request(self, order: DraftOrder, source: OrderStatus, key: str | None) -> None:
        """The same key gives the same export; otherwise the order's state decides."""
        order.refresh_from_db()
        earlier = self._keys.get((order, key)) if key else None
        is_open = order.status == source and self.connection.status == ERPConnection.Status.ACTIVE
        ask = push_service.push if source == OrderStatus.APPROVED else push_service.retry
        name = "push" if source == OrderStatus.APPROVED else "retry"
        try:
            export = ask(PushRequest(order=order, actor=ACTOR, idempotency_key=key))
        except PushRefused:
            assert not is_open or (earlier and earlier[1] != source), f"{name} of {order} was refused"
            self.count(f"{name}, refused")
            return
        if earlier:
            assert (export, source) == earlier, f"{key} gave another export"
            self.count(f"{name}, same key again")
            return
        assert is_open, f"{name} of {order} was let through"
        former = order.exports.exclude(pk=export.pk).order_by("created_at").last()
        assert export.supersedes == former, f"{export} does not name {former}"
        if key:
            self._keys[order, key] = export, source
        self.count(f"{name} with a key" if key else name)
