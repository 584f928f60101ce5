from pathlib import Path

import pytest

from taxon_cli.resource_file import BadFile, read_model

SAMPLES = Path(__file__).parents[2] / "manifests/samples"
WINE = (SAMPLES / "wine.yaml").read_text()


def message(tmp_path: Path, text: str) -> str:
    """Return why a file with this text is refused, without the file's own name."""
    file = tmp_path / "model.yaml"
    file.write_text(text)
    with pytest.raises(BadFile) as caught:
        read_model(file)
    return str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_a_sample_is_a_model(file: Path) -> None:
    """Every sample is read without complaint, and its table is beside it."""
    model = read_model(file)

    assert model.metadata.name == file.stem
    dataset = model.spec.dataset
    uri = dataset.uri or f"{dataset.table.name if dataset.table else ''}.csv"
    assert (SAMPLES / uri.removeprefix("s3://samples/")).is_file()


@pytest.mark.parametrize("name", ["wine", "titanic", "penguins", "tic-tac-toe"])
def test_a_sample_is_short(name: str) -> None:
    """A model is at most twelve lines of YAML, whatever its table is like."""
    assert len((SAMPLES / f"{name}.yaml").read_text().splitlines()) <= 12


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "    uri:",
            "    urn: x\n    uri:",
            "FILE: spec.dataset.urn: unknown field: remove it or correct its name",
        ),
        (
            "    uri: s3://samples/wine.csv",
            "    uri: [1]",
            "FILE: spec.dataset.uri: Input should be a valid string",
        ),
        (
            "    target: cultivar",
            "    target: cultivar\n    testFraction: a fifth",
            "FILE: spec.dataset.testFraction: Input should be a valid number",
        ),
        (
            "    target: cultivar",
            "    target: cultivar\n    query: select 1",
            "FILE: spec.dataset.query: unknown field: remove it or correct its name",
        ),
        (
            "    target: cultivar",
            "    target: cultivar\n    uri: s3://samples/other.csv",
            "FILE, line 10: 'uri' appears twice: keep one",
        ),
        ("    target: cultivar\n", "", "FILE: spec.dataset.target: it is missing: add it"),
        (
            "type: LogisticRegression",
            "parameters: [{name: n_estimators, values: [50]}]",
            "FILE: spec.pipeline.classifier.parameters[0].values[0]: 50 must be text: write it",
        ),
        (
            "  pipeline:",
            "  gate: {limits: [{metric: brier}]}\n  pipeline:",
            "FILE: spec.gate.limits[0]: a limit needs min, max or both, and min must be",
        ),
        ("kind: Cl", "kind: NoCl", "FILE: kind: Input should be 'ClassifierModel'"),
        ("v1alpha1", "v1", "FILE: apiVersion: Input should be 'taxon.dev/v1alpha1'"),
        (
            "spec:",
            "spek:",
            "FILE: spec: it is missing: add it\nFILE: spek: unknown field: remove it",
        ),
    ],
)
def test_a_wrong_field_is_named_by_its_path(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """Every wrong field of a file is reported, with its path and what is wrong with it."""
    assert message(tmp_path, WINE.replace(old, new)).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{WINE}---\n{WINE}", "FILE contains 2 documents: keep one ClassifierModel"),
        ("", "FILE contains 0 documents: keep one ClassifierModel"),
        ("- a\n- b\n", "FILE is not a ClassifierModel: it needs apiVersion and kind"),
        ("a: b: c\n", "FILE, line 1: mapping values are not allowed here"),
        ("a: \x07\n", "FILE: unacceptable character #x0007: special characters are not allowed"),
        ("a: !!python/object:os.system {}\n", "FILE, line 1: could not determine a constructor"),
    ],
)
def test_a_file_that_holds_no_model_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """What is not exactly one YAML document with a model is refused with the reason."""
    assert message(tmp_path, text).startswith(expected)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    """A table passed by mistake is not taken for YAML."""
    file = tmp_path / "model.yaml"
    file.write_bytes(b"PAR1\xff\xfe")

    with pytest.raises(BadFile, match="it is not UTF-8 text"):
        read_model(file)


@pytest.mark.parametrize(("name", "reason"), [("absent.yaml", "No such file"), (".", "directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    """A mistyped path is reported as such."""
    with pytest.raises(BadFile, match=reason):
        read_model(tmp_path / name)


def test_what_the_cluster_adds_is_ignored(tmp_path: Path) -> None:
    """The output of `kubectl get -o yaml` can be run as it is."""
    file = tmp_path / "model.yaml"
    file.write_text(
        WINE.replace("  name: wine", "  name: wine\n  uid: 1-2-3\n  resourceVersion: '7'")
        + "status:\n  live: {version: v0123456789}\n"
    )

    assert read_model(file).metadata.name == "wine"
