"""schemathesis against the OpenAPI document, over TLS: no failure of ours, nothing undocumented.

A few hundred cases, always the same ones; FUZZ_CASES=10000 in the environment makes it about that
many, always others.
"""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from redis import Redis

from chats import wakeup
from chats.models import Transfer
from psap.models import Peer
from psap.peer_tokens import digest_of
from psap.project.environment import PROJECT_ROOT
from tests.support.histories import hand_over_part
from tests.support.peerapi import NEIGHBOUR, TOKEN, PeerApiProcess, change_peer
from tests.support.record import PUBLIC_URI, Record
from tests.support.tls import Pki

IN_THE_SUITE = 200
CASES = int(os.environ.get("FUZZ_CASES", IN_THE_SUITE))
IS_SHORT = CASES <= IN_THE_SUITE
SEED = 1 if IS_SHORT else random.getrandbits(32)
# What a run has to get to, else it proves little: path, HTTP status, StatusCode.
REACH = {
    "negotiation 200 202", "negotiation 200 406", "negotiation 400 -", "negotiation 403 -",
    "execution 200 200", "execution 200 503", "execution 400 -", "execution 403 -",
    "custody 400 -", "custody 403 -",
    "withdrawal 200 200", "withdrawal 400 -", "withdrawal 403 -",
    "attachments 200 -", "attachments 404 -",
}  # fmt: skip
OTHER_TOKEN = "Lm4-another-peers-token-1234567890123456"
OURS, OTHERS, UNSENT = b"handed to the neighbour", b"handed to another peer", b"not handed over"
# An execution with its Data takes ten times as long to think of as anything else.
CONFIGURATION = f"""
generation.max-examples = {CASES * 3 // 10}

[[operations]]
include-operation-id = "execute"
generation.max-examples = {CASES // 10}

[[operations]]
include-operation-id = "withdraw"
generation.max-examples = {CASES // 10}
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)


@pytest.fixture
def scene(record: Record, neighbour: int) -> dict[str, object]:
    """Accepted negotiations (new ones are accepted by the rule), and attachments of both peers."""
    change_peer(record, neighbour, auto_accept=True, auto_accept_limit=30_000)
    numbers = range(max(200, CASES // 5))
    named = [f"urn:emergency:uid:callid:fuzz{number}:app.example.org" for number in numbers]
    withdrawn = [f"urn:emergency:uid:callid:off{number}:app.example.org" for number in range(9)]
    record.run(_accept, neighbour, [*named, *withdrawn])
    return {
        "seed": SEED,
        "from": NEIGHBOUR,
        "to": PUBLIC_URI,
        "call_ids": named,
        "withdrawn": withdrawn,
        "attachments": record.run(_hand_over_parts, neighbour),
        "other_token": OTHER_TOKEN,
    }


def _accept(neighbour: int, call_ids: list[str]) -> None:
    now = datetime.now(UTC)
    accepted = [
        Transfer(
            side="in",
            state="accepted",
            peer_id=neighbour,
            peer_name="Neighbour",
            call_id=call_id,
            transfer_from=NEIGHBOUR,
            transfer_to=PUBLIC_URI,
            automatic=True,
            requested_at=now,
            answered_at=now,
            expiry=3600,
            expires_at=now + timedelta(hours=1),
            due_at=now + timedelta(hours=1),
        )
        for call_id in call_ids
    ]
    Transfer.objects.bulk_create(accepted)


def _hand_over_parts(neighbour: int) -> list[str]:
    ours = Peer.objects.get(pk=neighbour)
    other = Peer.objects.create(
        name="Other", uris="sip:other@example.org", token_sha256=digest_of(OTHER_TOKEN)
    )
    return [
        hand_over_part(OURS, ours),
        hand_over_part(OTHERS, other),
        hand_over_part(UNSENT, ours, executed_at=None, state="stalling"),
    ]


@pytest.fixture
def apps_follow(record: Record, api: PeerApiProcess) -> Iterator[None]:
    """Say of each execution that the app has followed, or not, as a gateway does."""
    done = threading.Event()

    def settle() -> None:
        redis = Redis.from_url(settings.REDIS_URL)
        with psycopg.connect(record.database_url, autocommit=True) as session:
            while not done.wait(0.02):
                settled = session.execute(
                    "UPDATE chats_transfer SET due_at = NULL, ended_at = now(),"
                    " state = CASE WHEN id %% 4 > 0 THEN 'done' ELSE 'failed' END"
                    " WHERE state = 'executing' AND side = %s",
                    ["in"],
                )
                if settled.rowcount:
                    redis.publish(wakeup.TRANSFERS, b"")

    settling = threading.Thread(target=settle)
    settling.start()
    yield
    done.set()
    settling.join(10)


@pytest.mark.timeout(3600)  # with FUZZ_CASES
@pytest.mark.usefixtures("apps_follow")
def test_nothing_is_answered_that_is_not_in_the_openapi_document(
    api: PeerApiProcess, pki: Pki, scene: dict[str, object], tmp_path: Path
):
    authority = tmp_path / "authority.pem"
    authority.write_text(pki.authority.certificate)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    (tmp_path / "scene.json").write_text(json.dumps(scene))
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run",
            f"https://127.0.0.1:{api.port}/transfer/openapi.json",
            "--tls-verify", str(authority),
            "--header", f"Authorization: Bearer {TOKEN}",
            "--checks", ",".join(CHECKS),
            "--phases", "fuzzing" if IS_SHORT else "coverage,fuzzing",
            "--seed", str(SEED),
            "--request-timeout", "15",
            "--continue-on-failure",
            "--no-shrink",
            "--suppress-health-check", "all",
            "--workers", "1",  # hypothesis has caches that two threads break
            "--no-color",
        ],
        cwd=tmp_path,
        env=os.environ | {
            "PYTHONPATH": str(PROJECT_ROOT),
            "DJANGO_SETTINGS_MODULE": "psap.project.settings",
            "SCHEMATHESIS_HOOKS": "tests.support.peer_fuzz_hooks",
            "FUZZ_SCENE": str(tmp_path / "scene.json"),
            "FUZZ_REACH": str(tmp_path / "reach.txt"),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    (tmp_path / "output.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout[:20000] + done.stderr[-2000:]
    reached = Counter((tmp_path / "reach.txt").read_text().splitlines())
    assert set(reached) >= REACH, reached
    given = set(re.findall(r"(\w+): GET /transfer/v1/attachments/(\w+) 200, ", api.log()))
    assert given == {("Neighbour", _digest(OURS)), ("Other", _digest(OTHERS))}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
