"""The configuration in deploy/kamailio by itself."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.kamailio import CONFIGURATION, Kamailio

ADDRESS = re.compile(r"(?<!clause )\b(?:\d{1,3}\.){3}\d{1,3}\b")


def checked(command: list[str]) -> str:
    done = subprocess.run([*command, "-c"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_kamailio_takes_it_without_any_define():
    assert "config file ok" in checked(["kamailio", "-f", str(CONFIGURATION / "kamailio.cfg")])


@pytest.mark.parametrize("define", ["WITH_TLS", "WITHOUT_ANYTHING"])
def test_kamailio_takes_it_with_the_defines_of_a_site(tmp_path: Path, define: str):
    site = Kamailio(tmp_path, psap_port=5061, defines={define: "1"})
    assert f":{site.inside_port}" in checked(site.command)


def test_an_undeclared_word_is_refused(tmp_path: Path):
    """Red where `-c` would accept anything."""
    site = Kamailio(tmp_path, psap_port=5061, defines={"BCF_CHILDREN": "many"})
    with pytest.raises(AssertionError, match="parse error"):
        checked(site.command)


def test_it_names_no_address_but_the_loopback_and_examples():
    named = {
        address
        for file in CONFIGURATION.rglob("*")
        if file.is_file()
        for address in ADDRESS.findall(file.read_text())
    }
    allowed = ("127.0.0.", "192.0.2.", "198.51.100.", "203.0.113.")  # RFC 5737
    assert [address for address in named if not address.startswith(allowed)] == []
