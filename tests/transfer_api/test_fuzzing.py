"""schemathesis against the OpenAPI document, over TLS: no failure of ours, nothing undocumented.

About 500 cases; FUZZ_CASES=10000 in the environment makes it about that many.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from redis import Redis

from chats import wakeup
from chats.models import Transfer
from psap.project.environment import PROJECT_ROOT
from tests.support.peerapi import NEIGHBOUR, TOKEN, PeerApiProcess, change_peer
from tests.support.record import PUBLIC_URI, Record
from tests.support.tls import Pki

IN_THE_SUITE = 500
CASES = int(os.environ.get("FUZZ_CASES", IN_THE_SUITE))
# An execution with its Data takes ten times as long to think of as anything else.
CONFIGURATION = f"""
generation.max-examples = {CASES * 3 // 10}

[[operations]]
include-operation-id = "execute"
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
def call_ids(record: Record, neighbour: int, tmp_path: Path) -> Path:
    """CallIds whose negotiation has been accepted; new ones are accepted by the rule."""
    change_peer(record, neighbour, auto_accept=True, auto_accept_limit=30_000)
    named = [f"urn:emergency:uid:callid:fuzz{number}:app.example.org" for number in range(200)]
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
        for call_id in named
    ]
    record.run(Transfer.objects.bulk_create, accepted)
    file = tmp_path / "call-ids"
    file.write_text("\n".join(named))
    return file


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
                    " state = CASE WHEN id %% 2 = 0 THEN 'done' ELSE 'failed' END"
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


@pytest.mark.usefixtures("apps_follow")
def test_nothing_is_answered_that_is_not_in_the_openapi_document(
    api: PeerApiProcess, pki: Pki, call_ids: Path, tmp_path: Path
):
    authority = tmp_path / "authority.pem"
    authority.write_text(pki.authority.certificate)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run",
            f"https://127.0.0.1:{api.port}/transfer/openapi.json",
            "--tls-verify", str(authority),
            "--header", f"Authorization: Bearer {TOKEN}",
            "--checks", ",".join(CHECKS),
            "--phases", "fuzzing" if CASES <= IN_THE_SUITE else "coverage,fuzzing",
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
            "FUZZ_CALL_IDS": str(call_ids),
            "FUZZ_FROM": NEIGHBOUR,
            "FUZZ_TO": PUBLIC_URI,
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    (tmp_path / "output.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout[:20000] + done.stderr[-2000:]
