"""Parts of raw requests."""

PASSWORD = "correct horse battery"


JSON = {"Content-Type": "application/json"}
