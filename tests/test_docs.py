"""The documents agree with the code where a machine can tell."""

import ast
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("psap", "chats", "sipgateway", "transfer_api", "bench", "bin", "deploy")
FILLED_LATER = {"docs/images/console.png"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\))?)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\bPSAP_[A-Z][A-Z_]*[A-Z]\b")
PUBLISHED = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/README.md")]
    if "var" not in path.parts and ".venv" not in path.parts
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _prose(path: Path) -> str:
    return FENCE.sub("", path.read_text("utf-8"))


def _anchors(path: Path) -> set[str]:
    """Return the anchors that the headings of a document get on the usual forges."""
    titles = re.findall(r"^#+ +(.+?) *$", _prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _code_files() -> list[Path]:
    files = [ROOT / "manage.py"]
    for folder in CODE:
        files += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.suffix in {"", ".py", ".sh", ".conf", ".yml", ".service"}
        ]
    return files


def _variables_in_code() -> set[str]:
    found: set[str] = set()
    for path in _code_files():
        text = path.read_text("utf-8", errors="replace")
        if path.suffix == ".py":
            strings = [
                node.value
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            found |= {value for value in strings if VARIABLE.fullmatch(value)}
        else:
            found |= set(VARIABLE.findall(text))
    return found


def _commands() -> set[str]:
    return {
        path.stem
        for app in ("psap", "chats", "sipgateway", "transfer_api")
        for path in (ROOT / app / "management" / "commands").glob("[!_]*.py")
    }


@pytest.mark.parametrize("document", PUBLISHED, ids=_name)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    broken = []
    for target in LINK.findall(_prose(document)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        path = (document.parent / file).resolve() if file else document
        if not path.is_relative_to(ROOT):
            broken.append(f"{target}: leaves the repository")
        elif not path.exists():
            if _name(path) not in FILLED_LATER:
                broken.append(f"{target}: no such file")
        elif anchor and path.suffix == ".md" and anchor not in _anchors(path):
            broken.append(f"{target}: no such heading")
    assert not broken


@pytest.mark.parametrize("record", sorted((ROOT / "docs/adr").glob("0*.md")), ids=_name)
def test_every_decision_record_has_its_four_parts_and_its_place_in_the_list(record: Path) -> None:
    text = _prose(record)
    parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert parts == ["Status", "Context", "Decision", "Consequences"]
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", record.name)
    assert text.startswith(f"# {record.name[:4]}: ")
    assert f"({record.name})" in (ROOT / "docs/adr/README.md").read_text("utf-8")


def test_every_variable_that_the_code_reads_is_documented_and_no_other() -> None:
    documented = set(VARIABLE.findall((ROOT / "docs/operations.md").read_text("utf-8")))
    assert documented == _variables_in_code()


def test_every_command_of_ours_is_documented() -> None:
    text = "".join(_prose(path) + path.read_text("utf-8") for path in PUBLISHED)
    missing = {name for name in _commands() if not re.search(rf"\b{name}\b", text)}
    assert not missing


def test_every_pinned_library_has_its_reason() -> None:
    reasons = (ROOT / "docs/adr/0006-libraries.md").read_text("utf-8")
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    names = {re.split(r"[\[=]", line)[0] for line in lines if line and not line.startswith("#")}
    assert not {name for name in names if f"| {name.lower()} " not in reasons.lower()}
