"""The forms of people. A user name is unique in the whole installation, not in one organization."""

from unfold.forms import UserChangeForm, UserCreationForm

# Not that it exists: an administrator need not know whom other organizations have.
NOT_AVAILABLE = {"username": {"unique": "This username is not available. Choose another, such as the e-mail address."}}


LABELS = {"is_staff": "May log in to these pages"}
HELP_TEXTS = {
    "is_staff": "Without this, the account can use the API only.",
    "is_active": "Without this, the account can neither log in nor use the API. No account is ever deleted.",
    "is_superuser": "Sees and changes every organization, and makes new ones.",
}


class NewMemberForm(UserCreationForm):  # type: ignore[misc] # unfold has no types
    class Meta(UserCreationForm.Meta):  # type: ignore[misc] # as above
        error_messages = NOT_AVAILABLE
        labels = LABELS
        help_texts = HELP_TEXTS


class MemberForm(UserChangeForm):  # type: ignore[misc] # as above
    class Meta(UserChangeForm.Meta):  # type: ignore[misc] # as above
        error_messages = NOT_AVAILABLE
        labels = LABELS
        help_texts = HELP_TEXTS
