# Settings of the Sentry that tests run against: organizations, teams and members, no events.
from sentry.conf.server import *  # noqa

import os

HOME = os.environ["REAL_SENTRY_HOME"]

DATABASES = {
    "default": {
        "ENGINE": "sentry.db.postgres",
        "NAME": "sentry",
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": "127.0.0.1",
        "PORT": os.environ["REAL_SENTRY_PG_PORT"],
        "AUTOCOMMIT": True,
        "ATOMIC_REQUESTS": False,
    }
}
SENTRY_USE_BIG_INTS = True
SENTRY_SINGLE_ORGANIZATION = False
DEBUG = False
ALLOWED_HOSTS = ["*"]

# Nothing is asked of anybody outside.
SENTRY_BEACON = False
SENTRY_PROJECT = None  # Nor does Sentry report its own errors to itself.
SENTRY_USE_RELAY = False
SENTRY_RELEASE_REGISTRY_BASEURL = None

with open(os.path.join(HOME, "secret-key")) as _file:
    _secret_key = _file.read().strip()
_redis = {"host": "127.0.0.1", "port": int(os.environ["REAL_SENTRY_REDIS_PORT"])}
SENTRY_OPTIONS.update(
    {
        "system.secret-key": _secret_key,
        "system.url-prefix": "http://127.0.0.1:" + os.environ["REAL_SENTRY_PORT"],
        "redis.clusters": {"default": {"hosts": {0: _redis}}},
        "filestore.options": {"location": os.path.join(HOME, "files")},
    }
)

# No events are taken in: their stores are dummies.
SENTRY_CACHE = "sentry.cache.redis.RedisCache"
SENTRY_BUFFER = "sentry.buffer.Buffer"
SENTRY_QUOTAS = "sentry.quotas.Quota"
SENTRY_TSDB = "sentry.tsdb.dummy.DummyTSDB"
SENTRY_DIGESTS = "sentry.digests.backends.dummy.DummyBackend"
SENTRY_EVENTSTREAM = "sentry.eventstream.base.EventStream"
SENTRY_NODESTORE = "sentry.nodestore.django.DjangoNodeStorage"
SENTRY_METRICS_BACKEND = "sentry.metrics.dummy.DummyMetricsBackend"

# Tasks run inside the request: there is no worker. What cron would do, hands.py does when told to.
CELERY_ALWAYS_EAGER = True
CELERY_EAGER_PROPAGATES_EXCEPTIONS = False
BROKER_URL = "memory://"

# As on sentry.io: limits are announced on every answer. A self-hosted Sentry has none.
SENTRY_SELF_HOSTED = False
SENTRY_RATELIMITER = "sentry.ratelimits.redis.RedisRateLimiter"
SENTRY_RATELIMITER_ENABLED = True
SENTRY_RATELIMITER_DEFAULT = int(os.environ["REAL_SENTRY_RATE_LIMIT"])

SENTRY_WEB_HOST = "127.0.0.1"
SENTRY_WEB_PORT = int(os.environ["REAL_SENTRY_PORT"])
# The bare web server closes the connection after every answer and does not say so; the proxy that stands in front of
# every true installation keeps that from clients, and so does this header.
SENTRY_WEB_OPTIONS = {"workers": 2, "add-header": "Connection: close"}

# A plan with code owners, as Business is.
SENTRY_FEATURES["organizations:integrations-codeowners"] = True
