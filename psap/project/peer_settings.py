"""Settings of the peer interface's process: of Django as little as its views need.

No sessions, no cookies, no logins, no admin, no console, no static files.
"""

from psap.project.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "psap.apps.PsapConfig",
    "chats",
    "transfer_api",
]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "transfer_api.urls"
TEMPLATES[0]["OPTIONS"] = {"context_processors": []}  # noqa: F405
ALLOWED_HOSTS = ["*"]  # no view asks for the host's name
# Bodies are bounded and read before Django (transfer_api/bodies.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = None
LOGGING["loggers"] = {  # noqa: F405
    # transfer_api.requests has a line for each request.
    "django.request": {"level": "ERROR"},
    "uvicorn.error": {"level": "ERROR"},
}
