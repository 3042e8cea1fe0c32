"""`manage.py peer add|list|check`: the PSAPs that chats go to and come from."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from psap.admin_peer_form import PeerForm
from psap.models import Peer, Psap
from psap.peer_checks import shortcomings
from psap.peer_tokens import draw_token
from transfer_api.calling.checking import check_peer

FAILED, BAD_ARGUMENTS = 1, 2
# What the admin's form names otherwise than the command line.
ARGUMENTS = {
    "name": "NAME",
    "uris": "--uri",
    "url": "--url",
    "certificate_names": "--cert-name",
    "token": "--token-file",
    "own_token": "--own-token-file",
}


class Command(BaseCommand):
    help = (
        "Peers: `add` one, `list` them, `check` one by asking it what it must decline. "
        "Exit 0: well, 1: not, 2: bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, parser_class=CommandParser)
        add = actions.add_parser("add", help="add a peer")
        add.add_argument("name", metavar="NAME")
        add.add_argument(
            "--uri",
            action="append",
            required=True,
            help="SIP URI that it answers at; more than one may be given, the first is asked",
        )
        add.add_argument("--url", default="", help="of its transfer interface, https://…/")
        add.add_argument(
            "--cert-name",
            action="append",
            default=[],
            help="name in the certificate that it shows us; more than one may be given",
        )
        add.add_argument(
            "--token-file",
            type=Path,
            help="bearer token that it shows us; where there is no such file, one is drawn into it",
        )
        add.add_argument("--own-token-file", type=Path, help="bearer token that we show it")
        add.add_argument(
            "--auto-accept", action="store_true", help="its transfers ring without being asked for"
        )
        actions.add_parser("list", help="list all peers")
        check = actions.add_parser("check", help="ask a peer what it must decline")
        check.add_argument("name", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "add":
            self._add(options)
        elif options["action"] == "list":
            self._list()
        else:
            self._check(options["name"])

    def _add(self, options: dict[str, Any]) -> None:
        drawn = options["token_file"] and not options["token_file"].exists()
        token = draw_token() if drawn else _read(options["token_file"])
        given = {
            "name": options["name"],
            "uris": "\n".join(options["uri"]),
            "agreement": True,
            "url": options["url"],
            "certificate_names": "\n".join(options["cert_name"]),
            "token": token,
            "own_token": _read(options["own_token_file"]),
            "auto_accept": options["auto_accept"],
        }
        form = PeerForm(_defaults() | given)
        if not form.is_valid():
            faults = (
                f"{ARGUMENTS.get(name, name)}: {text}"
                for name, texts in form.errors.items()
                for text in texts
            )
            raise CommandError(" ".join(faults), returncode=BAD_ARGUMENTS)
        if drawn:
            _write(options["token_file"], token)
            self.stdout.write(f"drawn: {options['token_file']}, for the peer to show us")
        peer = form.save()
        self.stdout.write(f"added: “{peer.name}”, {peer.uri}")
        psap = Psap.objects.first()
        believes = psap is not None and psap.peer_authorities.exists()
        for problem in shortcomings(peer, psap=psap, has_authorities=believes):
            self.stderr.write(f"note: {problem.text}")

    def _list(self) -> None:
        peers = list(Peer.objects.all())
        if not peers:
            self.stdout.write("There are no peers.")
        for peer in peers:
            ways = [
                *(["to it"] if peer.takes_transfers else []),
                *(["from it"] if peer.certificate_names or peer.token_sha256 else []),
            ]
            transfers = " and ".join(ways) or "none"
            words = [
                peer.name,
                peer.uri,
                peer.url or peer.negotiation_url or "-",
                f"transfers: {transfers if peer.agreement else 'none (no agreement)'}",
                *(["auto-accept"] if peer.auto_accept else []),
            ]
            self.stdout.write("  ".join(words))

    def _check(self, name: str) -> None:
        peer = find_peer(name)
        for step in check_peer(peer):
            self.stdout.write(f"{'ok' if step.is_well else 'FAILED':<7}{step.name}: {step.seen}")
            if not step.is_well:
                raise CommandError(f"“{peer.name}” cannot be asked.", returncode=FAILED)


def find_peer(name: str) -> Peer:
    """Return the peer of that name, in any case; else the command ends with exit code 2."""
    exact = Peer.objects.filter(name=name).first()
    alike = [exact] if exact else list(Peer.objects.filter(name__iexact=name))
    if len(alike) != 1:
        known = ", ".join(f"“{peer.name}”" for peer in Peer.objects.all()) or "none"
        message = f"There is no peer “{name}”. Known: {known}."
        raise CommandError(message, returncode=BAD_ARGUMENTS)
    return alike[0]


def _defaults() -> dict[str, Any]:
    """Return what the admin's form shows for a new peer."""
    return {
        field.name: field.get_default()
        for field in Peer._meta.concrete_fields
        if field.name in PeerForm.Meta.fields
    }


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no text"
        message = f"{path} cannot be read: {cause}"
        raise CommandError(message, returncode=BAD_ARGUMENTS) from error


def _write(path: Path, token: str) -> None:
    """Write a token so that we alone can read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{token}\n")
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise CommandError(message, returncode=BAD_ARGUMENTS) from error
