"""`python -m tests.exports.faults.lost_commits FOLDER`: deliveries over a PostgreSQL that is gone at one COMMIT after
the other, before the server had it and before the client heard of it. Prints what became of each."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.core.management import call_command
from django.db import DatabaseError, connection

from tests.servers.postgres import postgres
from tests.servers.proxies.commit_proxy import CommitProxy, Lost, commit_proxy

ORDERS = 3


def main() -> None:
    root = Path(sys.argv[1])
    with ExitStack() as stack:
        url = urlsplit(stack.enter_context(postgres()))
        proxy = stack.enter_context(commit_proxy(url.port or 0))
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": url._replace(netloc=f"{url.username}@127.0.0.1:{proxy.port}").geturl(),
            "DROPZONE_ROOT": str(root),
            "CELERY_BROKER_URL": f"embedded://{root / 'broker'}",
        }
        django.setup()
        call_command("migrate", verbosity=0)
        sys.stdout.write(json.dumps(list(_deliveries(proxy, root / "acme"))))
        connection.close()


def _deliveries(proxy: CommitProxy, place: Path) -> Iterator[dict[str, Any]]:
    """Until a delivery has no further COMMIT that could be lost."""
    from exports.delivery import drain  # noqa: PLC0415 - behind Django's setup
    from exports.models import ERPExport, Lane  # noqa: PLC0415
    from tests.support.tenants import make_order, make_tenant  # noqa: PLC0415

    (place / "in").mkdir(parents=True)
    tenant = make_tenant("acme")
    for number in count(1):
        for what in Lost:
            exports = [_pushed(make_order, tenant, f"{number}-{what}-{n}") for n in range(ORDERS)]
            proxy.lose(number, what)
            with suppress(DatabaseError):
                drain.drain(tenant.connection.pk)
            was_lost = proxy.lose_nothing()
            connection.close()
            arrived = _taken(place)
            # The worker is gone, and its lease ends.
            Lane.objects.update(leased_until=None)
            drain.drain(tenant.connection.pk)
            arrived += _taken(place)
            rows = ERPExport.objects.filter(pk__in=exports)
            yield {
                "commit": number,
                "lost": what if was_lost else "",
                "statuses": sorted(rows.values_list("status", flat=True)),
                "orders": sorted(rows.values_list("draft_order__status", flat=True)),
                "sent_events": sum(export.events.filter(kind="SENT").count() for export in rows),
                "arrived": sorted(arrived.values()),
                "left": len(list((place / "in").glob("*.json"))),
            }
        if not was_lost:
            return


def _pushed(make_order: Any, tenant: Any, number: str) -> Any:
    from django.utils import timezone  # noqa: PLC0415

    from exports import push_service  # noqa: PLC0415

    order = make_order(tenant.organization, number, "APPROVED")
    type(order).objects.filter(pk=order.pk).update(approved_at=timezone.now())
    return push_service.push(push_service.PushRequest(order=order, actor="test")).pk


def _taken(place: Path) -> Counter[str]:
    files = list((place / "in").glob("sales_order_*.json"))
    for file in files:
        file.unlink()
    return Counter(file.name for file in files)


if __name__ == "__main__":
    main()
