"""URLs of the console."""

from django.urls import path

from chats import attachments, views

urlpatterns = [
    path("", views.console, name="console"),
    path("chats/tests/", views.tests, name="tests"),
    path("chats/<int:chat_id>/conversation/", views.conversation, name="conversation"),
    path("chats/<int:chat_id>/parts/<int:part_id>/", attachments.download, name="part"),
    path("chats/<int:chat_id>/parts/<int:part_id>/image/", attachments.image, name="image"),
]
