"""URLs of the console."""

from django.urls import path

from chats import views

urlpatterns = [
    path("", views.console, name="console"),
    path("chats/tests/", views.tests, name="tests"),
    path("chats/<int:chat_id>/conversation/", views.conversation, name="conversation"),
]
