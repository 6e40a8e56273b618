"""What a person reads is marked for the catalogues, and Babel finds what is marked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from jinja2 import Environment, nodes

from server.rendering.words import scripts
from tests.house.source import ROOT, sources, syntax

PAGES = list(sources(".html", "server", "widget"))
MODULES = list(sources(".py", "server"))
SCRIPTS = list(sources(".js", "server", "widget"))
CALLS = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2)}
OPTIONS = {"silent": "false", "newstyle_gettext": "true"}
READ_ALOUD = {"alt", "title", "placeholder", "aria-label", "data-label"}  # parts.css shows the last
CODE = {"code", "pre", "script", "style"}
WORD = re.compile(r"[^\W\d_]{2}")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
# In an expression or a script only what looks like a sentence: all else there are names.
SENTENCE = re.compile(r"^[A-Z][a-z']+(?:[ ,.!?]|$)|[a-z]{2}[,.]? [a-z]{2}|[a-z][.!?] [A-Z]")
NO_SENTENCES = {
    "Proteus": "the product's name",
    "· Proteus": "the product's name, in a page's title",
    "openapi.json": "a file's name",
    "(OpenAPI )": "a format's name",
    "sk__…": "what is shown of a secret key",
    "https://shop.example.com": "a sample of what is typed there",
    "Escape": "a key's name, as events have it",
    ".header, dialog, .history": "a selector",
    "Bearer": "a scheme's name",
}


@dataclass(frozen=True)
class Mark:
    """A call that marks a sentence. `values`: the placeholders it fills; None where a table's
    reader fills them."""

    place: str
    sentences: tuple[str, ...]
    values: frozenset[str] | None


class Texts(HTMLParser):
    """The texts of a page and of the attributes that are read; code is none."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code += tag in CODE
        self.found += [value or "" for name, value in attrs if name in READ_ALOUD]

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in CODE

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.found.append(data)


# --- templates -----------------------------------------------------------------------------------


def _tree(page: Path) -> nodes.Template:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    return environment.parse(page.read_text())


def _markup(node: nodes.Node) -> str:
    """What a template says itself: its expressions left out, its branches one after the other."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Expr):
        return ""
    return "".join(_markup(child) for child in node.iter_child_nodes())


def _is_mark(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in CALLS
    )


def _literals(node: nodes.Node) -> Iterator[str]:
    """The texts in expressions that no mark holds."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    children = node.kwargs if isinstance(node, nodes.Call) and _is_mark(node) else None
    for child in node.iter_child_nodes() if children is None else children:
        yield from _literals(child)


def _unmarked(page: Path) -> Iterator[str]:
    tree, texts = _tree(page), Texts()
    texts.feed(_markup(tree))
    texts.close()
    said = [text for text in texts.found if WORD.search(text)]
    said += [text for text in _literals(tree) if SENTENCE.search(text.strip(" ,.“”"))]
    return (" ".join(text.split()) for text in said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_nothing_that_is_not_marked(page: Path) -> None:
    assert set(_unmarked(page)) <= set(NO_SENTENCES)


@pytest.mark.parametrize(
    "written",
    [
        "<p>Hello</p>",
        "{% if a %}<b>{{ a }}, cut out</b>{% endif %}",
        '<img alt="A tee">',
        '{{ parts.notice("Copy it now.") }}',
        '{{ "Owner" if a else _("Staff") }}',
        '{% macro m(a, b="Keep it") %}{{ a }}{% endmacro %}',
        '{{ _("%(a)s left", a="two seats") }}',
    ],
)
def test_what_is_not_marked_is_found(tmp_path: Path, written: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(written)
    assert set(_unmarked(page)) - set(NO_SENTENCES) != set()


# --- scripts -------------------------------------------------------------------------------------

QUOTED = re.compile(r"""//[^\n]*|/\*.*?\*/|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`""", re.DOTALL)


def _strings(script: Path) -> Iterator[str]:
    for found in QUOTED.finditer(script.read_text()):
        yield re.sub(r"\$\{[^}]*\}", "", found[1] or found[2] or "").strip()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_says_what_the_page_brought_along(script: Path) -> None:
    assert set(filter(SENTENCE.search, _strings(script))) <= set(NO_SENTENCES)


def test_no_exception_is_left_over() -> None:
    on_pages = {text for page in PAGES for text in _unmarked(page)}
    assert set(NO_SENTENCES) == on_pages | {
        text for script in SCRIPTS for text in _strings(script) if SENTENCE.search(text)
    }


def test_the_dashboards_scripts_say_all_they_are_given_and_nothing_else() -> None:
    mine = [script for script in SCRIPTS if "dashboard" in script.parts]
    asked = {name for path in mine for name in re.findall(r'said\("(\w+)"', path.read_text())}
    quoted = {text for path in mine for text in _strings(path)}
    given = scripts.sentences()
    assert asked <= set(given) <= quoted


# --- tables --------------------------------------------------------------------------------------

TABLES = [path for path in MODULES if path.parent.name == "words"]


def _called(node: ast.AST) -> str:
    """The plain name that a call names; empty where it is none."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return ""


def _spoken(node: ast.AST) -> Iterator[str]:
    """The texts of a module that no mark holds; a text that stands alone is a docstring."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if _called(node) not in CALLS and not is_docstring:
        for child in ast.iter_child_nodes(node):
            yield from _spoken(child)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_words_are_all_marked(table: Path) -> None:
    assert list(filter(SENTENCE.search, _spoken(syntax(table)))) == []


# --- marks ---------------------------------------------------------------------------------------


def _of_page(page: Path) -> Iterator[Mark]:
    for call in _tree(page).find_all(nodes.Call):
        if not _is_mark(call):
            continue
        place = f"{page.relative_to(ROOT)}:{call.lineno}"
        wanted = call.args[: 2 if call.node.name == "ngettext" else 1]  # type: ignore[attr-defined]
        said = tuple(part.value for part in wanted if isinstance(part, nodes.Const))
        assert len(said) == len(wanted), f"{place}: a page marks plain texts alone"
        yield Mark(place, said, frozenset(value.key for value in call.kwargs))


def _of_module(module: Path) -> Iterator[Mark]:
    for call in ast.walk(syntax(module)):
        if not isinstance(call, ast.Call) or _called(call) not in CALLS:
            continue
        place = f"{module.relative_to(ROOT)}:{call.lineno}"
        wanted = call.args[: 2 if _called(call) == "ngettext" else 1]
        assert not any(isinstance(part, ast.JoinedStr | ast.BinOp) for part in wanted), place
        constants = [part.value for part in wanted if isinstance(part, ast.Constant)]
        said = tuple(text for text in constants if isinstance(text, str))
        names = [keyword.arg for keyword in call.keywords]
        is_open = _called(call) == "N_" or None in names
        yield Mark(place, said, None if is_open else frozenset(filter(None, names)))


def _marks() -> list[Mark]:
    found = [mark for page in PAGES for mark in _of_page(page)]
    return found + [mark for module in MODULES for mark in _of_module(module)]


def _extracted() -> set[str]:
    """What a translator is given, by Babel's own readers of both languages."""
    said: set[str] = set()
    for method, paths in (("jinja2", PAGES), ("python", MODULES)):
        for path in paths:
            for _line, message, *_ in extract_from_file(method, path, CALLS, options=OPTIONS):
                said.update([message] if isinstance(message, str) else message)
    return said


def test_babel_finds_every_mark() -> None:
    marked = {sentence for mark in _marks() for sentence in mark.sentences}
    assert len(marked) > 400
    assert marked - _extracted() == set()
    assert "" not in marked


def test_every_placeholder_is_named_and_filled() -> None:
    for mark in _marks():
        names = {name for sentence in mark.sentences for name in PLACEHOLDER.findall(sentence)}
        for sentence in mark.sentences:
            assert "%" not in PLACEHOLDER.sub("", sentence), mark
            assert PLACEHOLDER.sub("x", sentence) == sentence % dict.fromkeys(names, "x"), mark
        if mark.values is not None and mark.sentences:
            assert names - {"num"} == mark.values - {"num"}, mark
