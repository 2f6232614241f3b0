"""One module each, with `run(bench) -> Result`; they read settings, so they are imported when the servers are up."""

NAMES = (
    "connector",
    "round_trips",
    "whole_path",
    "single_push",
    "push_endpoint",
    "large_order",
    "acks",
    "document",
    "memory",
    "growth",
    "admin_pages",
    "costs",
)
WITHOUT_DATABASE = frozenset({"connector", "round_trips", "large_order", "document"})
