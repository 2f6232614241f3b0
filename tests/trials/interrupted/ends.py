"""Every file that the ERP ever took, beside what the product knows of its export."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256

from exports.models import ERPExport
from tests.system.crashes.erp import StandInERP
from tests.trials.interrupted.legs import End


def end_of(erp: StandInERP, *, times: int, while_held: int, taken_over: int, late: int) -> End:
    contents: dict[str, list[bytes]] = defaultdict(list)
    for name, content in erp.appearances:
        contents[name].append(content)
    exports = list(ERPExport.objects.select_related("draft_order").order_by("filename"))
    return End(
        orders=len(exports),
        times=times,
        while_held=while_held,
        taken_over=taken_over,
        late=late,
        lost=[f"{e.filename} is {e.status}: {e.error_message}" for e in exports if not contents[e.filename]],
        damaged=[wrong for export in exports for wrong in _damaged(export, contents[export.filename])],
        twice=[f"{name}: {len(found)} times" for name, found in contents.items() if len(found) > 1],
        contradicted=[wrong for export in exports for wrong in _contradicted(export, contents[export.filename])],
    )


def _damaged(export: ERPExport, contents: Sequence[bytes]) -> Iterator[str]:
    for content in contents:
        if sha256(content).hexdigest() != export.document_sha256:
            yield f"{export.filename} came with {len(content)} bytes instead of {export.document_size}"


def _contradicted(export: ERPExport, contents: Sequence[bytes]) -> Iterator[str]:
    """The ERP accepts what it takes, under a number that it makes of the file's name."""
    state = (export.status, export.erp_order_id, export.draft_order.status)
    accepted = ("ACKED", f"SO-{export.filename[-13:-5]}", "PUSHED")
    if contents and state != accepted:
        yield f"{export.filename} is {' '.join(state)}, and the ERP accepted it: {export.error_message}"
    if not contents and export.status not in {"PENDING", "FAILED"}:
        yield f"{export.filename} is {export.status}, and never came"
