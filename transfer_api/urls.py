"""URLs of the interface towards peer PSAPs (clause 6.3); docs/transfer.md tells them."""

from django.urls import path

from transfer_api import views

urlpatterns = [
    path("transfer/v1/negotiation", views.negotiation),
    path("transfer/v1/execution", views.execution),
    path("transfer/v1/custody", views.custody),
    path("transfer/v1/attachments/<str:sha256>", views.attachment),
]
