"""The steps of a connection test, each with its time."""
