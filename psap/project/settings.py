"""Django settings of one Leitstand instance; everything variable comes from the environment."""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from psap.project.environment import PROJECT_ROOT, read_environment

ENVIRONMENT = read_environment()
STATE_DIR = ENVIRONMENT.state_dir


def _secret_key(path: Path) -> str:
    """Return the instance's key, drawn once into a file that its owner alone can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


STATE_DIR.mkdir(parents=True, exist_ok=True)
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or _secret_key(STATE_DIR / "secret_key")
DEBUG = False
_HOSTS = {ENVIRONMENT.host, "localhost", "127.0.0.1", "[::1]"}
ALLOWED_HOSTS = sorted(
    _HOSTS | {h for h in os.environ.get("PSAP_ALLOWED_HOSTS", "").split(",") if h}
)

INSTALLED_APPS = [
    "psap.apps.ConfigurationSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "psap.apps.PsapConfig",
    "chats",
    "sipgateway",
    "transfer_api",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "psap.project.urls"
ASGI_APPLICATION = "psap.project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PROJECT_ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": dj_database_url.parse(
        ENVIRONMENT.database_url, conn_max_age=60, conn_health_checks=True
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "psap.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "console"
LOGOUT_REDIRECT_URL = "login"
# A shift lasts twelve hours: nobody is logged out in the middle of a chat.
SESSION_COOKIE_AGE = 14 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Behind a TLS proxy (docs/operations.md) cookies travel over TLS alone.
BEHIND_TLS = os.environ.get("PSAP_BEHIND_TLS") == "1"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600  # this host alone: others may have no TLS
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("PSAP_TRUSTED_ORIGINS", "").split(",") if o]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# django-leaflet's assets without its app: as an app beside the admin it demands GDAL.
_LEAFLET = Path(str(find_spec("leaflet").origin)).parent / "static" / "leaflet"  # type: ignore[union-attr]
STATICFILES_DIRS = [PROJECT_ROOT / "static", ("leaflet", _LEAFLET)]
# Served straight from the apps' folders: no collect step that a deployment could forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Map tiles are the only thing a console may load from elsewhere, and only where configured.
MAP_TILE_URL = os.environ.get("PSAP_MAP_TILE_URL", "")
MAP_TILE_ATTRIBUTION = os.environ.get("PSAP_MAP_TILE_ATTRIBUTION", "")
_TILE_ORIGIN = ["/".join(MAP_TILE_URL.split("/")[:3]).replace("{s}", "*")] if MAP_TILE_URL else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", *_TILE_ORIGIN],
        "font-src": [SELF],
        "media-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# Who names it may read /metrics from another machine.
METRICS_TOKEN = os.environ.get("PSAP_METRICS_TOKEN", "")

REDIS_URL = ENVIRONMENT.redis_url
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "leitstand"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "filters": {"short": {"()": "psap.project.logs.WithoutStackOfRefusals"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["short"],
        }
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("PSAP_LOG_LEVEL", "INFO")},
}
