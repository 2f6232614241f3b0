import os

from django.core.wsgi import get_wsgi_application

from orderflow import gc_tuning
from orderflow.environment.startup import load_settings
from orderflow.web.request_body import with_whole_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderflow.settings")
load_settings()

application = with_whole_bodies(get_wsgi_application())
gc_tuning.settle()
