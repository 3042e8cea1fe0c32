"""URLs of login and status."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from psap.monitoring import metrics, status
from psap.views import LoginView, healthz

urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("healthz", healthz, name="healthz"),
    path("status/", status, name="status"),
    path("metrics", metrics, name="metrics"),
]
