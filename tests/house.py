"""What tests/test_architecture.py looks for, as functions of a text, so that each can be shown to find what it should."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from tests.helpers import REPOSITORY

PACKAGES = ("api", "assets", "bench", "dashboards", "factoryops", "ingest", "pipelines", "rules", "warehouse")
LONGEST_FILE_LINES = 350
ENVIRONMENT_NAMES = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})

# What only decides imports none of these, not even through another module.
IO_MODULES = frozenset({
    "aiohttp", "alembic", "amqtt", "dagster", "duckdb", "fastapi", "filelock", "fsspec", "ftplib",
    "http", "httpx", "multiprocessing", "paho",
    "prometheus_client", "psycopg", "requests", "s3fs", "smtplib", "socket", "socketserver", "sqlalchemy", "sqlite3", "ssl", "starlette",
    "streamlit", "subprocess", "twilio", "urllib3", "uvicorn", "websockets",
})  # fmt: skip
PURE_MODULES = (
    "rules.engine", "rules.conditions", "rules.parse", "rules.schedule", "assets.models", "ingest.topics", "ingest.payloads",
    "warehouse.readings", "warehouse.errors", "warehouse.clock",
)  # fmt: skip

# Written so that this file does not match itself.
FORBIDDEN_ADDRESSES = re.compile(
    r"pypi\.(?:org|python)|python[h]osted\.org|registry\.[n]pmjs|--(?:extra-)?[i]ndex-url|--[f]ind-links|proxy\.[g]olang|deb\.[d]ebian\.org"
)
ABSOLUTE_PATH_OF_A_WORKPLACE = re.compile(r"(?<![\w.}])/[w]ork/|/[r]oot/|/tmp/[b]ash_")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is in git, or that would be with the next `git add` (so that a mistake shows before its commit)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file())


def tracked_texts() -> list[tuple[str, str]]:
    """Name and text of every tracked file that is text."""
    texts = []
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" not in data:
            texts.append((path.relative_to(REPOSITORY).as_posix(), data.decode("utf-8", errors="replace")))
    return texts


def tracked_python(*folders: str) -> list[Path]:
    """The tracked Python files of these top-level folders, or all."""
    return [path for path in tracked_files() if path.suffix == ".py" and (not folders or path.relative_to(REPOSITORY).parts[0] in folders)]


def environment_reads(source: str) -> list[int]:
    """The lines on which a Python text reads or sets the environment."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ENVIRONMENT_NAMES
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ):
            lines.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and any(alias.name in ENVIRONMENT_NAMES for alias in node.names):
            lines.append(node.lineno)
    return lines


def lines_matching(pattern: re.Pattern[str], text: str) -> list[str]:
    """The lines of a text in which the pattern occurs, with their numbers."""
    return [f"{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?P<rest>.*)$")
SILENCED_WELL = re.compile(r"^(?:\[[\w\-, ]+\]|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)(?:.*\s)?[^\w]*\s\S*\w\S*")


def silenced_without_reason(source: str) -> list[str]:
    """The lines that silence a check without saying which and why: `# noqa: S608 - the names come from METADATA`."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        match = SILENCED.search(line)
        if match and not SILENCED_WELL.match(match["rest"]):
            found.append(f"{number}: {line.strip()}")
    return found


def ignores_without_reason(pyproject: str) -> list[str]:
    """The lines of ruff's ignore lists that have no comment, neither at their end nor on the line that opens their group."""
    found, inside, explained = [], False, False
    for line in pyproject.splitlines():
        stripped = line.strip()
        if re.match(r'(ignore|"[^"]*\*\*[^"]*") = \[$', stripped):
            inside, explained = True, False
        elif stripped.startswith("]"):
            inside = False
        elif inside and stripped.startswith("#"):
            explained = True
        elif inside and "#" in stripped:
            explained = False
        elif inside and not explained:
            found.append(stripped)
    return found


def configuration() -> dict[str, dict]:
    """The `tool` table of pyproject.toml."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
