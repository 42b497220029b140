"""The guide says what the program does: commands, options, columns, links and examples hold."""

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from app.help import KEYS
from classify.cli import app as classify_app
from discover.annotate import ACTIONS
from discover.cli import app as discover_app
from discover.export import FORMATS
from discover.export.darwin_core import TERMS
from discover.export.records import COLUMNS
from discover.flags import FLAGS
from discover.naming.events import CHANGES, EVENTS
from discover.naming.qualifiers import QUALIFIERS
from discover.naming.verdict_file import COLUMNS as VERDICT_COLUMNS
from discover.tables import SCHEMAS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
PROGRAMS = {"classify": classify_app, "discover": discover_app}


def commands(app: App, name: str) -> Iterator[tuple[str, App]]:
    """Yield every command that does something, by what one types."""
    if app.default_command is not None:
        yield name, app
    for verb in app:
        if not verb.startswith("-"):
            yield from commands(app[verb], f"{name} {verb}")


COMMANDS = {n: app for program in PROGRAMS for n, app in commands(PROGRAMS[program], program)}


def sections(folder: Path) -> dict[str, list[str]]:
    """Return the texts below each heading of a folder's pages."""
    found: dict[str, list[str]] = {}
    for page in sorted(folder.glob("*.md")):
        parts = re.split(r"^#+ (.+)$", TEXT[page], flags=re.M)[1:]
        for heading, body in zip(parts[::2], parts[1::2], strict=True):
            found.setdefault(heading.strip("` "), []).append(body)
    return found


def table(body: str) -> list[list[str]]:
    """Return the rows of all tables of a section, without headers; cells without backticks."""
    rows = [line.strip().strip("|") for line in body.splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", row)] for row in rows]
    rules = {n for n, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]


def words(cell: str) -> list[str]:
    """Return what a cell has between backticks."""
    return re.findall(r"`([^`]+)`", cell)


ON_COMMANDS = sections(DOCS / "commands")
ON_FORMATS = sections(DOCS / "formats")


def option_names(argument: Any) -> set[str]:  # noqa: ANN401 - cyclopts' own
    if "POSITIONAL" in str(argument.field_info.kind):
        return {argument.names[0].lstrip("-").upper()}
    return {name for name in argument.names if not name.startswith("--empty-")}


def shown_default(argument: Any) -> str:  # noqa: ANN401 - cyclopts' own
    default = argument.field_info.default
    if argument.required or default is inspect.Parameter.empty:
        return "needed"
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return " ".join(map(str, default))
    return "" if default is None else str(default)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_one_section_with_all_its_options(command: str) -> None:
    (body,) = ON_COMMANDS[command]
    rows = [row for row in table(body) if words(row[0])]
    documented = {name: row[1].strip("`") for row in rows for name in words(row[0])}
    collection = COMMANDS[command].assemble_argument_collection()
    assert documented == {n: shown_default(a) for a in collection for n in option_names(a)}
    assert all(row[2] for row in rows)


def test_no_page_describes_a_command_that_is_not_there() -> None:
    described = {h for h in ON_COMMANDS if h.split(" ")[0] in PROGRAMS}
    assert described - set(COMMANDS) <= {
        "discover label",
        "discover label tree",
        "discover users",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_in_the_index_and_has_an_example(command: str) -> None:
    assert f"`{command}`" in TEXT[DOCS / "commands" / "README.md"]
    (body,) = ON_COMMANDS[command]
    assert re.search(rf"^(\$ )?{command}\b", body, flags=re.M)


def typed(page: Path) -> Iterator[str]:
    """Yield the command lines of a page's examples: what a person types, without comments."""
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", TEXT[page], flags=re.S):
        for line in block.replace("\\\n", " ").splitlines():
            prompt = {"bash": "", "console": r"\$ "}.get(kind)
            if prompt is not None and re.match(rf"{prompt}(\w+=\S+ )*(classify|discover) ", line):
                yield re.sub(rf"^{prompt}(\w+=\S+ )*", "", line)


EXAMPLES = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in typed(page)]


@pytest.mark.parametrize(("page", "line"), EXAMPLES)
def test_an_example_is_understood(page: str, line: str) -> None:
    program, *tokens = shlex.split(line, comments=True)
    PROGRAMS[program].parse_args(tokens, exit_on_error=False, print_error=False)


def links(page: Path) -> Iterator[tuple[bool, str, str]]:
    """Yield whether a link is a picture, its text, and where it leads; those to the web not."""
    plain = re.sub(r"```.*?```", "", TEXT[page], flags=re.S)
    for mark, text, target in re.findall(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", plain):
        if not re.match(r"\w+:", target):
            yield mark == "!", text, target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", TEXT[page], flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_link_leads_somewhere(page: Path) -> None:
    for is_picture, text, target in links(page):
        assert text, f"{target} has no text"
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if is_picture and file.parent == PICTURES:
            continue  # the next test looks at these
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_guide_shows_each_screen_and_its_pictures_are_there() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for is_picture, _, target in links(page)
        if is_picture
    }
    assert {file for file in shown if file.parent == PICTURES} == set(PICTURES.iterdir())


def test_the_keys_of_the_guide_are_those_of_the_pages() -> None:
    section = TEXT[DOCS / "guide.md"].partition("### Keys")[2].partition("\n#")[0]
    told = {key for row in table(section) for key in words(row[0])} - {"Shift"}
    groups = [keys for page in KEYS.values() for _, rows in page for keys, _ in rows]
    known = {k for keys in groups for k in ([keys] if "Ctrl" in keys else keys.split(" "))}
    assert told == {k for k in known if re.fullmatch(r"(Ctrl )?[A-Z0-9?]|Del|Space|Enter|Esc", k)}


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = {ROOT / "README.md"}, [ROOT / "README.md"]
    while ahead:
        here = ahead.pop()
        for _, _, target in links(here):
            there = (here.parent / target.partition("#")[0]).resolve()
            if there in TEXT and there not in reached:
                reached.add(there)
                ahead.append(there)
    assert not set(PAGES) - reached


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_of_the_survey_is_described_column_by_column(name: str) -> None:
    (body,) = ON_FORMATS[f"Table {name}"]
    described = {words(row[0])[0]: row[1].strip("`") for row in table(body)}
    assert described == {field.name: str(field.type) for field in SCHEMAS[name]}


@pytest.mark.parametrize("events", [EVENTS, CHANGES], ids=lambda t: t.name)
def test_a_table_of_the_labels_is_described_column_by_column(events: Any) -> None:  # noqa: ANN401
    (body,) = ON_FORMATS[f"Labels {events.name}"]
    assert [words(row[0])[0] for row in table(body)] == [column.name for column in events.columns]


def test_the_columns_of_csv_and_parquet_are_described() -> None:
    (body,) = ON_FORMATS["Columns of csv and parquet"]
    assert [name for row in table(body) for name in words(row[0])] == list(COLUMNS)


def test_the_terms_of_darwin_core_are_described() -> None:
    (body,) = ON_FORMATS["Terms of darwin-core"]
    assert [name for row in table(body) for name in words(row[0])] == list(TERMS)


def test_the_verdicts_of_a_table_are_described() -> None:
    rows = [row for row in table(TEXT[DOCS / "formats" / "verdicts.md"]) if words(row[0])]
    assert [words(row[0])[0] for row in rows] == [*VERDICT_COLUMNS, *ACTIONS]
    assert [row[1] for row in rows[len(VERDICT_COLUMNS) :]] == list(ACTIONS.values())


def test_the_flags_of_frames_are_named_where_they_are_kept() -> None:
    described = [
        row for name in ("frames", "bursts") for row in table(*ON_FORMATS[f"Table {name}"])
    ]
    flags = {flag for row in described if words(row[0]) == ["flags"] for flag in words(row[2])}
    assert flags == set(FLAGS)


def test_the_qualifiers_of_names_are_named() -> None:
    text = TEXT[DOCS / "formats" / "names.md"]
    assert set(words(text.partition("Known are")[2])) == set(QUALIFIERS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_of_export_has_a_page_and_an_example(name: str) -> None:
    text = TEXT[DOCS / "formats" / f"{name}.md"]
    assert f"discover export {name} --out" in text
    assert f"]({name}.md)" in TEXT[DOCS / "formats" / "README.md"]
