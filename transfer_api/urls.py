"""URLs of the interface towards peer PSAPs (clause 6.3); docs/transfer.md tells them."""

from django.urls import path

from transfer_api import documentation, views

urlpatterns = [
    path("transfer/v1/negotiation", views.negotiation),
    path("transfer/v1/execution", views.execution),
    path("transfer/v1/custody", views.custody_notice),
    path("transfer/v1/withdrawal", views.withdrawal),
    path("transfer/v1/attachments/<str:sha256>", views.attachment),
    path("transfer/", documentation.page),
    path("transfer/page.css", documentation.style_sheet),
    path("transfer/openapi.json", documentation.openapi),
    path("transfer/schemas/<str:name>.json", documentation.schema),
    path("healthz", documentation.healthz),
]
handler400 = "transfer_api.documentation.bad_request"
handler404 = "transfer_api.documentation.not_found"
handler500 = "transfer_api.documentation.server_error"
