"""Documents: links lead to files and headings that exist, commands to programs that exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"\b(?:python -m )(taxon_\w+(?:\.\w+)+|hack(?:\.\w+)+)")
TARGET = re.compile(r"(?:^ {4}|`)make ([a-z-]+)", re.MULTILINE)
PAGES = subprocess.run(
    ["git", "ls-files", "*.md"],  # noqa: S607 - the one every developer has
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()


def text(page: str | Path) -> str:
    """Return a page of the repository."""
    return (ROOT / page).read_text()


def anchors(page: Path) -> set[str]:
    """Return the anchors GitHub gives a page's headings."""
    plain = (
        re.sub(r"[^\w\- ]", "", one.lower()) for one in HEADING.findall(FENCE.sub("", text(page)))
    )
    return {one.replace(" ", "-") for one in plain}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_resolves(page: str) -> None:
    """A relative link names a file or folder, and its anchor a heading there."""
    broken = []
    for link in LINK.findall(FENCE.sub("", text(page))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_and_target_exists(page: str) -> None:
    """Modules that a page runs with ``python -m`` and targets of ``make`` exist."""
    makefile = text("Makefile")
    modules = {one.replace(".", "/") for one in MODULE.findall(text(page))}
    targets = set(TARGET.findall(text(page)))

    assert [one for one in modules if not found(one)] == []
    assert [one for one in targets if f"\n{one}:" not in makefile] == []


def found(module: str) -> bool:
    """Return whether a module exists at the top of the repository or in the folder of a part."""
    names = (f"{module}.py", f"{module}/__main__.py")
    return any([*ROOT.glob(name), *ROOT.glob(f"*/{name}")] for name in names)


def test_the_readme_leads_to_every_page() -> None:
    """README.md links to every page of docs."""
    linked = {link.partition("#")[0] for link in LINK.findall(text("README.md"))}
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}

    assert pages - linked == set()


def test_a_retrain_annotation_has_a_new_value_each_time() -> None:
    """A date alone changes nothing the second time a day, so every page shows the time."""
    every = (re.findall(r"""taxon\.dev/retrain="?(.{11})""", text(page)) for page in PAGES)

    assert {one for shown in every for one in shown} == {"$(date +%s)"}
