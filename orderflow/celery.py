"""The Celery app. A message is only a wake-up: the database is the queue, and beat finds what a lost one left."""

import os

from celery import Celery

from orderflow import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderflow.settings")
broker.register()

app = Celery("orderflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
