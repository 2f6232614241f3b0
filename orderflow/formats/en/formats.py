"""Dates and times as people write them who compare them with a log."""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s"

# The first is what the calendar enters. No slashes: 5/7/2026 is another day in another country.
DATE_INPUT_FORMATS = ["%Y-%m-%d", "%d.%m.%Y"]
