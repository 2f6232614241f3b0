"""What every child process of the crash tests is forked with, loaded once: Django, the product, what they do."""

import django
import pytest  # noqa: F401 - a child imports its parent's main module, and that is pytest or a trial

django.setup()

from tests.system.crashes import lives  # noqa: E402, F401 - behind Django's setup
from tests.system.crashes.pauses import lives as pause_lives  # noqa: E402, F401 - behind Django's setup
