"""All that differs between installations comes from the environment; docs/reference/configuration.md lists it."""

import os
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_stubs_ext
from kombu import Queue

from orderflow.admin import navigation
from orderflow.api import rest_settings
from orderflow.environment import redis_settings, server_urls
from orderflow.environment.paths import certificates, private_folder
from orderflow.environment.reading import Environment
from orderflow.log_config import logging_config

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()

DEBUG = env.boolean("DEBUG", default=False)

SECRET_KEY = env.secret("SECRET_KEY")
ENCRYPTION_MASTER_KEY = env.secret("ENCRYPTION_MASTER_KEY")
ENCRYPTION_PREVIOUS_KEYS = env.entries("ENCRYPTION_PREVIOUS_KEYS")

ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ("localhost", "127.0.0.1"))
CSRF_TRUSTED_ORIGINS = env.entries("CSRF_TRUSTED_ORIGINS")
DATA_DIR = env.path("DATA_DIR", BASE_DIR / "var")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
    "orderflow.tenancy",
    "orderflow.heartbeats",
    "orderflow.api",
    "orderflow.orders",
    "orderflow.demo",
    "connectors",
    "exports",
    "exports.bulk",
    "exports.webhooks",
    "exports.incidents",
]

MIDDLEWARE = [
    "orderflow.health_checks.Probes",
    "django.middleware.security.SecurityMiddleware",
    "orderflow.web.content_policy.ContentPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "orderflow.api.errors.request_id.RequestIdHeader",
    "orderflow.web.unusable_bodies.RejectUnusableBodies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "orderflow.urls"
CSRF_FAILURE_VIEW = "orderflow.web.error_pages.csrf_failure"
LOGIN_REDIRECT_URL = "admin:index"
WSGI_APPLICATION = "orderflow.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # In front of those of the packages: texts of theirs that say too little.
        "DIRS": [BASE_DIR / "orderflow" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Where this machine keeps its copy of what has to be known outside the database.
STATE_DIR = env.path("STATE_DIR", DATA_DIR / "state")
# A backup that is older than that cannot be made up for completely.
JOURNAL_KEEP_DAYS = env.integer("JOURNAL_KEEP_DAYS", 35)

DATABASE_URL = env.text("DATABASE_URL")
_sqlite: dict[str, Any] = {"ENGINE": server_urls.SQLITE_ENGINE, "NAME": str(DATA_DIR / "orderflow.sqlite3")}
DATABASES = {"default": server_urls.database("DATABASE_URL", DATABASE_URL) if DATABASE_URL else _sqlite}
if DATABASES["default"]["ENGINE"] == server_urls.SQLITE_ENGINE:
    private_folder("DATA_DIR", DATA_DIR)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # A journal line has to outlive a power cut, or the file that it speaks of would be sent twice.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
# How long a migration waits for a table that others use, on PostgreSQL; 0: without a limit.
MIGRATION_LOCK_TIMEOUT_S = env.seconds("MIGRATION_LOCK_TIMEOUT_S", 10, least=0)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "orderflow.formats"
TIME_ZONE = env.time_zone("TIME_ZONE")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Without a collectstatic, the files come from where the packages keep them.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
if WHITENOISE_USE_FINDERS:
    # WhiteNoise warns at every start that STATIC_ROOT is missing, although it then serves the files from elsewhere.
    warnings.filterwarnings("ignore", message="No directory at: ", category=UserWarning)

_redis = redis_settings.read(env)
REDIS_SERVERS = _redis.servers
# Without Redis in files: what limits the rates of calls has to hold across the web processes of the machine.
_file_cache = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": str(DATA_DIR / "cache"),
    # A number that is counted up gets this one, whatever it had: as long as the longest rate.
    "TIMEOUT": 86_400,
    "OPTIONS": {"MAX_ENTRIES": 1000},
}
CACHES = {"default": _redis.cache.as_cache if _redis.cache else _file_cache}

# STORAGE_URL: empty for a local folder, or s3://bucket/prefix; credentials and region as boto3 reads them.
STORAGE_URL = env.text("STORAGE_URL")
S3_ENDPOINT_URL = env.web_address("S3_ENDPOINT_URL")
_folder_storage = {
    "BACKEND": "orderflow.environment.private_storage.PrivateFolder",
    "OPTIONS": {"location": str(DATA_DIR / "storage"), "allow_overwrite": True},
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    "exports": server_urls.storage("STORAGE_URL", STORAGE_URL, endpoint=S3_ENDPOINT_URL)
    if STORAGE_URL
    else _folder_storage,
}

# Connections in filesystem mode reach folders below this one only, each organization its own.
# Beside DATA_DIR, which nobody else may enter: the ERP may run as another user.
DROPZONE_ROOT = env.path("DROPZONE_ROOT", BASE_DIR / "dropzones")
# Replaces the default (public and private addresses, no loopback) of where SFTP connections may go.
DROPZONE_ALLOWED_NETWORKS = env.networks("DROPZONE_ALLOWED_NETWORKS") or None

# How long a worker keeps an SFTP session for its connection's next use; 0: not at all.
SFTP_IDLE_S = env.seconds("SFTP_IDLE_S", 60, least=0)

# Private addresses that webhooks may go to, besides the public ones.
WEBHOOK_PRIVATE_NETWORKS = env.networks("WEBHOOK_PRIVATE_NETWORKS")
# Without encryption, to those private addresses only.
WEBHOOK_ALLOW_HTTP = env.boolean("WEBHOOK_ALLOW_HTTP", default=False)
# Certificates to trust instead of the system's.
WEBHOOK_CA_FILE = certificates("WEBHOOK_CA_FILE", env.text("WEBHOOK_CA_FILE"))
# How many webhooks are sent to at once; those whose receiver failed the last time have all but one of these places.
WEBHOOK_SENDERS = env.integer("WEBHOOK_SENDERS", 2)
# Hours for which a webhook's old secret also signs after a new one was made; 0: not at all.
WEBHOOK_SECRET_OVERLAP_H = env.hours("WEBHOOK_SECRET_OVERLAP_H", 24)

# A worker mostly waits for servers. More than twice LANES_PER_ORGANIZATION and a connection test, and than twice
# SUSPECT_LANES and two tests, so that neither one organization nor the servers that hang have all of one worker; and
# one more for a webhook's receiver that hangs.
CELERY_WORKER_CONCURRENCY = env.integer("WORKER_CONCURRENCY", max(7, os.cpu_count() or 1))
# How many connections are delivered to at once, and how many are asked for answers: of one organization, and of those
# whose server did not answer the last time.
LANES_PER_ORGANIZATION = env.integer("LANES_PER_ORGANIZATION", 2)
SUSPECT_LANES = env.integer("SUSPECT_LANES", 1)
# When a delivery or a poll is cut, and when a test, for which somebody waits, whatever the server does.
JOB_LIMIT_S = env.seconds("JOB_LIMIT_S", 300)
CONNECTION_TEST_LIMIT_S = env.seconds("CONNECTION_TEST_LIMIT_S", 60)

# How long a worker that was killed keeps others off a connection.
LEASE_S = env.seconds("LEASE_S", 30)
DELIVERY_BATCH_SIZE = env.integer("DELIVERY_BATCH_SIZE", 500)
DELIVERY_BATCH_LINES = env.integer("DELIVERY_BATCH_LINES", 20_000)
DELIVERY_SLICE_S = env.integer("DELIVERY_SLICE_S", 10)
SWEEP_INTERVAL_S = env.seconds("SWEEP_INTERVAL_S", 15)
# How long no worker may have swept the queue until `/readyz` and the dashboard report it; at least three intervals.
SWEEP_OVERDUE_S = env.seconds("SWEEP_OVERDUE_S", 60)
ACK_POLL_INTERVAL_S = env.seconds("ACK_POLL_INTERVAL_S", 60)
ACK_POLL_IDLE_INTERVAL_S = env.seconds("ACK_POLL_IDLE_INTERVAL_S", 900)

# Where notices are sent from, such as smtp+tls://user:password@host:587. Empty: none are sent.
EMAIL_URL = env.text("EMAIL_URL")
vars().update(server_urls.email("EMAIL_URL", EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "orderflow@localhost")
# Where people open the admin: what the links in notices begin with.
PUBLIC_URL = env.web_address("PUBLIC_URL", "http://localhost:8000")
# So many failed exports over one connection whose orders are in ERROR open an incident.
FAILING_EXPORTS = env.integer("FAILING_EXPORTS", 1)
# How long after an e-mail about an open incident the next one may list what was added.
ALERT_DIGEST_S = env.seconds("ALERT_DIGEST_S", 900)

CELERY_BROKER_URL = _redis.broker_url or f"embedded://{DATA_DIR / 'broker'}"
CELERY_BROKER_USE_SSL = _redis.broker.tls if _redis.broker else None
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A push does not wait for a broker that is down: the sweep finds the work. Nor is Redis told of acknowledgements: one
# that it could not take would count against its worker for good, and after a few of them the worker would be deaf.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "socket_connect_timeout": 2,
    "ack_emulation": False,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
# Polls, tidying up and webhooks do not stand before deliveries. A worker that is not told otherwise takes from all in
# turn.
CELERY_TASK_QUEUES = (Queue("celery"), Queue("polls"), Queue("webhooks"), Queue("sweeps"))
CELERY_TASK_ROUTES = {
    **{f"exports.tasks.{name}": {"queue": "polls"} for name in ("poll_acks", "tidy_up", "run_bulk_job")},
    **{f"exports.tasks.{name}": {"queue": "webhooks"} for name in ("send_webhooks", "webhooks_due")},
    # Behind a long queue of deliveries, the sweep would be overdue while every worker does its work.
    "exports.tasks.sweep": {"queue": "sweeps"},
    "exports.notices.tasks.watch": {"queue": "polls"},
    "orderflow.api.tasks.forget": {"queue": "polls"},
}
# A worker takes a message when it has a process for it: one that it took before would wait behind a server that hangs.
# Celery can do that for Redis alone, which is told of no acknowledgement; elsewhere it has to acknowledge late.
CELERY_WORKER_DISABLE_PREFETCH = _redis.broker is not None
CELERY_TASK_ACKS_LATE = _redis.broker is None
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Each worker has a queue of its own besides, for the ping of `check_worker`.
CELERY_WORKER_DIRECT = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Every interval is short, so that beat has nothing to remember between two starts.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {"task": "exports.tasks.sweep", "schedule": SWEEP_INTERVAL_S},
    "store-copies": {"task": "exports.tasks.store_copies", "schedule": 60.0},
    "forget": {"task": "orderflow.api.tasks.forget", "schedule": 300.0},
    "tidy-due": {"task": "exports.tasks.tidy_due", "schedule": 300.0},
    "sweep-tests": {"task": "connectors.tasks.sweep_tests", "schedule": SWEEP_INTERVAL_S},
    "watch": {"task": "exports.notices.tasks.watch", "schedule": 10.0},
    "poll-due": {"task": "exports.tasks.poll_due", "schedule": min(ACK_POLL_INTERVAL_S, 5.0)},
    "bulk-jobs-due": {"task": "exports.tasks.bulk_jobs_due", "schedule": 15.0},
    "webhooks-due": {"task": "exports.tasks.webhooks_due", "schedule": 10.0},
}

REST_FRAMEWORK = rest_settings.framework(env)
# How long a call's answer is kept for the same Idempotency-Key: never less than a day.
IDEMPOTENCY_KEEP_H = max(24, env.integer("IDEMPOTENCY_KEEP_H", 48))
KNOX_TOKEN_MODEL = "api.ApiToken"  # noqa: S105 - a model's name
# Knox's own table is not needed.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=env.integer("TOKEN_TTL_DAYS", 90)),
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "of_",
}
SPECTACULAR_SETTINGS = rest_settings.SCHEMA
UNFOLD = navigation.UNFOLD
LOGGING = logging_config(as_json=env.boolean("LOG_JSON", default=not DEBUG), level=env.log_level("LOG_LEVEL"))

# `orderflow.client_address` binds the address instead, and believes trusted proxies only.
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

# Behind a proxy that ends TLS, which production has.
BEHIND_TLS_PROXY = env.boolean("BEHIND_TLS_PROXY", default=False)
# The proxies whose entries in X-Forwarded-For are believed, where more than one is in front.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env.boolean("REQUIRE_TLS", default=False)
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT
