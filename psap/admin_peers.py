"""The admin of peers: the PSAPs that chats go to and come from, and the apps that do not follow."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from psap.admin_peer_form import PeerForm
from psap.admin_secrets import KeepsSecret
from psap.models import LimitedClient, Peer, Psap
from psap.peer_checks import shortcomings
from psap.peer_tokens import digest_of, draw_token


@admin.register(Peer)
class PeerAdmin(KeepsSecret):
    """Peers; tokens go in and do not come out, but for a drawn one, once."""

    kept_in = ("own_token", "forget_own_token", "token_sha256", "token", "forget_token")
    form = PeerForm
    list_display = ("name", "uri", "agreement", "transfers", "auto_accept")
    readonly_fields = ("token_of_its",)
    fieldsets = (
        (None, {"fields": ("name", "uris", "agreement")}),
        (
            "Where we ask it",
            {
                "fields": (
                    "url",
                    "negotiation_url",
                    "execution_url",
                    "authorities",
                    "own_token",
                    "forget_own_token",
                )
            },
        ),
        (
            "How we know it",
            {"fields": ("certificate_names", "token_of_its", "token", "forget_token")},
        ),
        (
            "Its transfers to us",
            {"fields": ("auto_accept", "auto_accept_limit", "offer_time", "expiry_time")},
        ),
        ("Our transfers to it", {"fields": ("answer_time", "execution_time")}),
    )

    @admin.display(description="transfers")
    def transfers(self, peer: Peer) -> str:
        if not peer.agreement:
            return "none"
        ways = {
            "to it": peer.takes_transfers,
            "from it": bool(peer.certificate_names or peer.token_sha256),
        }
        return " and ".join(way for way, is_open in ways.items() if is_open) or "none"

    @admin.display(description="token that it shows us")
    def token_of_its(self, peer: Peer) -> str:
        if peer.pk is None:
            return "Save the peer first to have one drawn."
        state = "One is set." if peer.token_sha256 else "None."
        draw = reverse("admin:psap_peer_token", args=[peer.pk])
        return format_html('{} <a href="{}">Draw a new one</a>', state, draw)

    def get_urls(self) -> list[URLPattern]:
        drawing = self.admin_site.admin_view(self.draw_token)  # never cached
        return [path("<int:pk>/token/", drawing, name="psap_peer_token"), *super().get_urls()]

    def draw_token(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask whether to draw a token, and draw it: the one page that ever shows it."""
        peer = Peer.objects.filter(pk=pk).first()
        if peer is None:
            raise Http404
        if not self.has_change_permission(request, peer):
            raise PermissionDenied
        token = ""
        if request.method == "POST":
            token = draw_token()
            peer.token_sha256 = digest_of(token)
            peer.save(update_fields=["token_sha256"])
            self.log_change(request, peer, "Drew a new token.")
        return TemplateResponse(
            request,
            "admin/peer_token.html",
            {**self.admin_site.each_context(request), "peer": peer, "token": token},
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        psap = Psap.objects.first()
        believes = bool(psap) and psap.peer_authorities.exists()
        for problem in shortcomings(form.instance, psap=psap, has_authorities=believes):
            messages.warning(request, problem.text)


@admin.register(LimitedClient)
class LimitedClientAdmin(admin.ModelAdmin):
    list_display = ("user_agent", "ends_on_redirect", "ends_on_transfer")
