"""The limits of the installed pjsua2: tried out in a process of their own, kept as rows."""

import asyncio
import json
import logging
import sys
from datetime import datetime

from sipgateway.database import Connection

logger = logging.getLogger(__name__)

PATIENCE = 20.0
COMMAND = (sys.executable, "-m", "sipgateway.registrar.probe")

_REPLACE = """
WITH found AS (
    SELECT * FROM unnest(%b::text[], %b::text[]) AS f(code, detail)
), gone AS (
    DELETE FROM psap_registrarlimit WHERE code NOT IN (SELECT code FROM found)
)
INSERT INTO psap_registrarlimit (code, detail, found_at)
SELECT code, detail, %b FROM found
ON CONFLICT (code) DO UPDATE SET detail = excluded.detail, found_at = excluded.found_at
"""


async def probe_limits() -> dict[str, str]:
    """Return what the installed pjsua2 cannot do, by code; never raises for what the probe does."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
    except TimeoutError:
        output = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return read_findings(output.decode(errors="replace"), ended_well=process.returncode == 0)


def read_findings(output: str, *, ended_well: bool) -> dict[str, str]:
    """Read what the probe has printed; it may have been cut off at any place."""
    found: dict[str, str] = {}
    most_accounts: int | None = None
    complete = False
    for line in output.splitlines():
        if not line.startswith("{"):
            continue  # pjsua2's own
        try:
            finding = json.loads(line)
        except ValueError:
            continue
        if finding["code"] == "done":
            complete = True
        elif finding["code"] == "accounts":
            most_accounts = finding["most"]
        else:
            found[finding["code"]] = finding["detail"]
    if not complete:
        found["not-tried"] = "What it cannot do could not be tried out: the trial ended early."
    if most_accounts is not None and not ended_well:
        found["accounts"] = f"It holds {most_accounts} accounts; with one more it ends the process."
    return found


async def write_limits(connection: Connection, found: dict[str, str], now: datetime) -> None:
    """Keep what was found in place of what was found before."""
    await connection.execute(_REPLACE, (list(found), list(found.values()), now))
