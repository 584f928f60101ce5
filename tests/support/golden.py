"""Golden files: reviewed once, compared whole. `pytest --update-golden` writes them again."""

from pathlib import Path


def assert_golden(text: str, path: Path, *, update: bool) -> None:
    """Assert that a text is the golden file's, or make it so."""
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path} is missing: run pytest with --update-golden and review it"
    assert text == path.read_text(), f"{path} differs: run pytest with --update-golden, review it"
