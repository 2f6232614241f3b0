"""The part of a connection's form that asks before acknowledgements which are still awaited are read no more."""

from copy import copy
from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldBooleanWidget

from connectors.connections import ack_places
from connectors.connections.ack_places import AcksAwaited
from connectors.models import ERPConnection

LEAVE_ACKS = "leave_acks"


class LeavingAcks(forms.ModelForm):  # type: ignore[type-arg] # Django's class is not generic when run
    """`saves` is off for a form whose values are only tested."""

    saves = True
    leave_acks: ClassVar[forms.BooleanField] = forms.BooleanField(
        required=False,
        label="Change it although acknowledgements are awaited",
        help_text="They will not be read where they were expected. Their exports say so, and this page counts them.",
        widget=UnfoldBooleanWidget,
    )

    def check_acks(self, config: dict[str, Any]) -> None:
        """An error at the box unless it is ticked, where `config` reads acknowledgements in another place."""
        if not self.saves or self.instance._state.adding or self.cleaned_data.get(LEAVE_ACKS):
            return
        before, after = self.instance, copy(self.instance)
        after.set_config(config)
        try:
            ack_places.require_none_awaited(before, after)
        except AcksAwaited as error:
            self.add_error(LEAVE_ACKS, str(error))


def shown(connection: ERPConnection | None, method: str | None) -> tuple[str, ...]:
    """The box, once a form was sent and while any acknowledgement is awaited."""
    return (LEAVE_ACKS,) if connection and method == "POST" and ack_places.awaited(connection) else ()
