"""People of an installation."""

RECIPIENT = """
from exports.incidents.models import Recipient
from orderflow.tenancy.models import Organization
Recipient.objects.create(organization=Organization.objects.get(), email="ops@acme.example")
"""
