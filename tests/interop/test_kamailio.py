"""The configuration in deploy/kamailio by itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.kamailio import CONFIGURATION, Kamailio
from tests.support.ports import free_ports

ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


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


def test_a_site_may_write_its_values_into_a_file_of_its_own(tmp_path: Path):
    home = shutil.copytree(CONFIGURATION, tmp_path / "kamailio")
    (port,) = free_ports(1)
    (home / "site.cfg").write_text(f"#!define BCF_PORT {port}\n")
    assert f"udp: 127.0.0.1:{port}" in checked(["kamailio", "-f", str(home / "kamailio.cfg")])


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
    examples = ("127.0.0.", "192.0.2.", "198.51.100.", "203.0.113.")  # RFC 5737
    clauses = ("6.1.2.",)  # of the specification
    assert [address for address in named if not address.startswith(examples + clauses)] == []
