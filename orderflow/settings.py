"""Everything that differs between installations comes from the environment; docs/configuration.md lists it."""

import os
import warnings
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from kombu import Queue

from orderflow.logs import logging_config
from orderflow.navigation import NAVIGATION

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

DEBUG = env.bool("DEBUG", default=False)


def required_secret(name: str) -> str:
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. `python -m orderflow.keys` prints fresh keys for .env; {name}_FILE may name a file."
        )
    return value


SECRET_KEY = required_secret("SECRET_KEY")
ENCRYPTION_MASTER_KEY = required_secret("ENCRYPTION_MASTER_KEY")
ENCRYPTION_PREVIOUS_KEYS = env.list("ENCRYPTION_PREVIOUS_KEYS", default=[])

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))

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
    "exports.notices",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "orderflow.api.request_id.RequestIdHeader",
    "orderflow.api.body_faults.RejectUnusableBodies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "orderflow.urls"
CSRF_FAILURE_VIEW = "orderflow.error_pages.csrf_failure"
LOGIN_REDIRECT_URL = "admin:index"
WSGI_APPLICATION = "orderflow.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
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
STATE_DIR = Path(env.str("STATE_DIR", default=str(DATA_DIR / "state")))
# A backup that is older than that cannot be made up for completely.
JOURNAL_KEEP_DAYS = env.int("JOURNAL_KEEP_DAYS", default=35)

DATABASE_URL = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'orderflow.sqlite3'}"
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # A journal line has to outlive a power cut, or the file that it speaks of would be sent twice.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "orderflow.formats"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Without a collectstatic, the files come from where the packages keep them.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
if WHITENOISE_USE_FINDERS:
    # WhiteNoise warns at every start that STATIC_ROOT is missing, although it then serves the files from elsewhere.
    warnings.filterwarnings("ignore", message="No directory at: ", category=UserWarning)

REDIS_URL = env.str("REDIS_URL", default="")
# Without Redis in files: what limits the rates of calls has to hold across the web processes of the machine.
_file_cache = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": str((DATA_DIR / "cache").absolute()),
    # A number that is counted up gets this one, whatever it had: as long as the longest rate.
    "TIMEOUT": 86_400,
    "OPTIONS": {"MAX_ENTRIES": 1000},
}
CACHES = {"default": env.cache_url_config(REDIS_URL) if REDIS_URL else _file_cache}

# STORAGE_URL: empty for a local folder, or s3://bucket/prefix; credentials and region as boto3 reads them.
STORAGE_URL = env.str("STORAGE_URL", default="")
if STORAGE_URL.startswith("s3://"):
    _bucket, _, _prefix = STORAGE_URL.removeprefix("s3://").partition("/")
    _exports_storage = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": _bucket,
            "location": _prefix,
            "endpoint_url": env.str("S3_ENDPOINT_URL", default="") or None,
            "default_acl": None,
            "file_overwrite": True,
        },
    }
elif STORAGE_URL:
    raise ImproperlyConfigured(f"STORAGE_URL must be empty or s3://bucket/prefix, not {STORAGE_URL!r}.")
else:
    _exports_storage = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "storage"), "allow_overwrite": True},
    }
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
    "exports": _exports_storage,
}


# Connections in filesystem mode reach folders below this one only, each organization its own.
DROPZONE_ROOT = Path(env.str("DROPZONE_ROOT", default=str(DATA_DIR / "dropzones")))
# Replaces the default (public and private addresses, no loopback) of where SFTP connections may go.
DROPZONE_ALLOWED_NETWORKS = tuple(ip_network(n) for n in env.list("DROPZONE_ALLOWED_NETWORKS", default=[])) or None

# How long a worker keeps an SFTP session for its connection's next use; 0: not at all.
SFTP_IDLE_S = env.float("SFTP_IDLE_S", default=60)

# Private addresses that webhooks may go to, besides the public ones.
WEBHOOK_PRIVATE_NETWORKS = tuple(ip_network(n) for n in env.list("WEBHOOK_PRIVATE_NETWORKS", default=[]))
# Without encryption, to those private addresses only.
WEBHOOK_ALLOW_HTTP = env.bool("WEBHOOK_ALLOW_HTTP", default=False)
# Certificates to trust instead of the system's.
WEBHOOK_CA_FILE = env.str("WEBHOOK_CA_FILE", default="")
# How many webhooks are sent to at once; those whose receiver failed the last time have all but one of these places.
WEBHOOK_SENDERS = env.int("WEBHOOK_SENDERS", default=2)

# A worker mostly waits for servers. More than twice LANES_PER_ORGANIZATION and a connection test, and than twice
# SUSPECT_LANES and two tests, so that neither one organization nor the servers that hang have all of one worker; and
# one more for a webhook's receiver that hangs.
CELERY_WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=max(7, os.cpu_count() or 1))
# How many connections are delivered to at once, and how many are asked for answers: of one organization, and of those
# whose server did not answer the last time.
LANES_PER_ORGANIZATION = env.int("LANES_PER_ORGANIZATION", default=2)
SUSPECT_LANES = env.int("SUSPECT_LANES", default=1)
# When a delivery or a poll is cut, and when a test, for which somebody waits, whatever the server does.
JOB_LIMIT_S = env.float("JOB_LIMIT_S", default=300)
CONNECTION_TEST_LIMIT_S = env.float("CONNECTION_TEST_LIMIT_S", default=60)

# How long a worker that was killed keeps others off a connection.
LEASE_S = env.float("LEASE_S", default=30)
DELIVERY_BATCH_SIZE = env.int("DELIVERY_BATCH_SIZE", default=500)
DELIVERY_BATCH_LINES = env.int("DELIVERY_BATCH_LINES", default=20_000)
DELIVERY_SLICE_S = env.int("DELIVERY_SLICE_S", default=10)
SWEEP_INTERVAL_S = env.float("SWEEP_INTERVAL_S", default=15)
# How long no worker may have swept the queue until `/readyz` and the dashboard report it; at least three intervals.
SWEEP_OVERDUE_S = env.float("SWEEP_OVERDUE_S", default=60)
ACK_POLL_INTERVAL_S = env.float("ACK_POLL_INTERVAL_S", default=60)
ACK_POLL_IDLE_INTERVAL_S = env.float("ACK_POLL_IDLE_INTERVAL_S", default=900)

# Where notices are sent from, such as smtp+tls://user:password@host:587. Empty: none are sent.
EMAIL_URL = env.str("EMAIL_URL", default="")
vars().update(env.email_url_config(EMAIL_URL or "dummymail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="orderflow@localhost")
# Where people open the admin: what the links in notices begin with.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000").rstrip("/")
# So many failed exports over one connection within 15 minutes are an incident.
FAILING_EXPORTS = env.int("FAILING_EXPORTS", default=5)

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL or f"embedded://{DATA_DIR / 'broker'}"
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
_REDIS_BROKER = CELERY_BROKER_URL.startswith(("redis://", "rediss://"))
CELERY_WORKER_DISABLE_PREFETCH = _REDIS_BROKER
CELERY_TASK_ACKS_LATE = not _REDIS_BROKER
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Each worker has a queue of its own besides, for the ping of `check_worker`.
CELERY_WORKER_DIRECT = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Every interval is short, so that beat has nothing to remember between two starts.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "exports.tasks.sweep", "schedule": SWEEP_INTERVAL_S},
    "store-copies": {"task": "exports.tasks.store_copies", "schedule": 60.0},
    "forget": {"task": "orderflow.api.tasks.forget", "schedule": 300.0},
    "tidy-due": {"task": "exports.tasks.tidy_due", "schedule": 300.0},
    "sweep-tests": {"task": "connectors.tasks.sweep_tests", "schedule": SWEEP_INTERVAL_S},
    "watch": {"task": "exports.notices.tasks.watch", "schedule": 30.0},
    "poll-due": {"task": "exports.tasks.poll_due", "schedule": min(ACK_POLL_INTERVAL_S, 10.0)},
    "bulk-jobs-due": {"task": "exports.tasks.bulk_jobs_due", "schedule": 15.0},
    "webhooks-due": {"task": "exports.tasks.webhooks_due", "schedule": 10.0},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["orderflow.api.authentication.BearerTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["orderflow.tenancy.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["orderflow.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "orderflow.api.negotiation.JsonNegotiation",
    "DEFAULT_FILTER_BACKENDS": ["orderflow.api.filters.KnownFilters"],
    "DEFAULT_PAGINATION_CLASS": "orderflow.api.pagination.NewestFirst",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_RATES": {
        "login": env.str("RATE_LOGIN", default="10/min"),
        "push": env.str("RATE_PUSH", default="1200/min"),
        "push-organization": env.str("RATE_PUSH_ORGANIZATION", default="6000/min"),
        "connection-test": env.str("RATE_CONNECTION_TEST", default="20/min"),
        "connection-test-organization": env.str("RATE_CONNECTION_TEST_ORGANIZATION", default="100/min"),
    },
    # How many proxies to believe when they name the caller's address.
    "NUM_PROXIES": int(env.bool("BEHIND_TLS_PROXY", default=False)),
    "DEFAULT_SCHEMA_CLASS": "orderflow.api.schema.CallSchema",
    "EXCEPTION_HANDLER": "orderflow.api.problems.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": False,
}
# How long a call's answer is kept for the same Idempotency-Key: never less than a day.
IDEMPOTENCY_KEEP_H = max(24, env.int("IDEMPOTENCY_KEEP_H", default=48))
KNOX_TOKEN_MODEL = "api.ApiToken"  # noqa: S105 - a model's name
# Knox's own table is not needed.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=env.int("TOKEN_TTL_DAYS", default=90)),
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_PREFIX": "of_",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OrderFlow",
    "DESCRIPTION": "Bring approved orders into the ERP, once, and know that they arrived.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PATH_CONVERTER_OVERRIDES": {"any_case_uuid": {"type": "string", "format": "uuid"}},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orderflow.api.schema.with_problem_schema",
    ],
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "orderflow.orders.transitions.OrderStatus",
        "ExportStatus": "exports.transitions.ExportStatus",
        "ConnectionStatus": "connectors.models.ERPConnection.Status",
    },
}
UNFOLD = {
    "SITE_TITLE": "OrderFlow",
    "SITE_HEADER": "OrderFlow",
    "SITE_SYMBOL": "local_shipping",
    # There is no other site to go back to.
    "SITE_URL": None,
    "DASHBOARD_CALLBACK": "exports.dashboard.page.context",
    "SIDEBAR": {"navigation": NAVIGATION},
    "COMMAND": {"search_callback": "exports.palette.found"},
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("tenancy/icon.svg")},
    ],
    "STYLES": [lambda _request: static("tenancy/admin.css")],
    "SCRIPTS": [lambda _request: static("tenancy/dates.js")],
}

LOGGING = logging_config(as_json=env.bool("LOG_JSON", default=not DEBUG), level=env.str("LOG_LEVEL", default="INFO"))

# Behind a proxy that ends TLS, which production has.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", default=False) else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = env.bool("REQUIRE_TLS", default=False)
# The probes come from beside the process, without TLS.
SECURE_REDIRECT_EXEMPT = ["^livez$", "^readyz$", "^readyz/web$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT
