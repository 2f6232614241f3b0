import os

from django.core.wsgi import get_wsgi_application

from orderflow import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderflow.settings")

application = get_wsgi_application()
collector.settle()
