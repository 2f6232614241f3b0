"""The forms of people. A user name is unique in the whole installation, not in one organization."""

from unfold.forms import UserChangeForm, UserCreationForm

# Not that it exists: an administrator need not know whom other organizations have.
NOT_AVAILABLE = {"username": {"unique": "This username is not available. Choose another, such as the e-mail address."}}


class NewMemberForm(UserCreationForm):  # type: ignore[misc] # unfold has no types
    class Meta(UserCreationForm.Meta):  # type: ignore[misc] # as above
        error_messages = NOT_AVAILABLE


class MemberForm(UserChangeForm):  # type: ignore[misc] # as above
    class Meta(UserChangeForm.Meta):  # type: ignore[misc] # as above
        error_messages = NOT_AVAILABLE
