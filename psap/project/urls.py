"""URLs of the console and the admin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("psap.urls")),
    path("", include("chats.urls")),
]
