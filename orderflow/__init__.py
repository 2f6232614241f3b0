from orderflow.celery import app as celery_app

# The only place that states the version; CHANGELOG.md has a section for it.
__version__ = "0.1.0"
__all__ = ["__version__", "celery_app"]
