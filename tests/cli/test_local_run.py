"""Local mode end to end, in this process: the real back ends, trainer and server."""

import contextlib
import io
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from taxon_cli.local.run import why_training_failed
from taxon_cli.local.state import FOLDER
from taxon_cli.main import main
from taxon_contracts.run import RunResult

SAMPLES = Path(__file__).parents[2] / "manifests/samples"
SAMPLE = SAMPLES / "breast-cancer.yaml"


@dataclass(frozen=True)
class Outcome:
    """How a call ended and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Workplace:
    """A folder somebody calls the command in."""

    folder: Path

    def call(self, *arguments: str | Path) -> Outcome:
        """Call ``taxon local run``."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers another store's keys
            patch.setenv("LOKY_MAX_CPU_COUNT", "1")  # the tests beside this one have the other
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
                pytest.raises(SystemExit) as ended,
            ):
                main(["local", "run", *map(str, arguments)])
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, out.getvalue(), err.getvalue())

    def write(self, name: str, text: str) -> Path:
        """Write a file; return its path."""
        file = self.folder / name
        file.write_text(text)
        return file


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return a folder the module's calls share, so that what one keeps the next one finds."""
    return Workplace(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="module")
def first(workplace: Workplace) -> Outcome:
    """Return the outcome of running the sample as it is."""
    outcome = workplace.call(SAMPLE, "--port", "0")
    assert outcome.code == 0, outcome.err
    return outcome


def section(text: str, heading: str) -> str:
    """Return the lines below a heading, up to the next empty line."""
    return text.partition(heading)[2].partition("\n\n")[0]


def said(text: str, heading: str, arrow: str) -> str:
    """Return what went one way in the exchange below a heading, as one line."""
    lines = section(text, heading).splitlines()
    return " ".join(line[4:].strip() for line in lines if line.startswith(f"  {arrow} "))


def quick(text: str, *, trees: int = 5) -> str:
    """Return the sample's YAML with a model that is fitted at once."""
    return text.replace('["50", "100"]', f'["{trees}"]').replace('["5", "None"]', '["3"]').replace(
        "spec:\n", "spec:\n  search: {strategy: None, folds: 2}\n"
    )  # fmt: skip


def version_in(text: str) -> str:
    """Return the version a call's summary begins with."""
    found = re.search(r"breast-cancer (v[0-9a-f]{10})", text)
    assert found, text
    return found[1]


def test_the_metrics_come_with_their_intervals(first: Outcome) -> None:
    """Every held-out metric is shown with its interval."""
    for name in ("accuracy", "roc_auc", "log_loss", "brier", "ece"):
        row = rf"^  {name} +\d\.\d{{4}} +\d\.\d{{4}} to \d\.\d{{4}}$"
        assert re.search(row, first.out, re.MULTILINE)


def test_the_verdict_names_what_was_asked(first: Outcome) -> None:
    """The gate's decision comes with the limits and the figures it was made on."""
    shown = section(first.out, "gate: Accepted (LimitsMet)")

    assert re.search(r"0\.95 <= roc_auc 0\.99\d\d\n", shown)
    assert re.search(r"brier 0\.0\d+ <= 0\.1$", shown)


def test_a_question_of_the_protocol_is_shown_with_its_answer(first: Outcome) -> None:
    """The exchange over V2 shows what was asked and what was answered."""
    path = "/v2/models/breast-cancer/infer"

    assert '"name": "input", "shape": [1, 30], "datatype": "FP64"' in said(first.out, path, ">")
    assert '"model_name": "breast-cancer"' in said(first.out, path, "<")
    assert re.search(r'"data": \["(malignant|benign)"\]', said(first.out, path, "<"))


def test_a_plain_question_is_shown_with_its_answer(first: Outcome) -> None:
    """The exchange over /predict names the features and gives one label."""
    assert said(first.out, "/predict\n", ">").startswith('{"mean radius": ')
    assert re.search(r'"prediction": "(malignant|benign)"', said(first.out, "/predict\n", "<"))
    assert '"probability_class_1"' in said(first.out, "/predict\n", "<")


def test_both_answers_stand_in_the_database(first: Outcome) -> None:
    """The rows come from PostgreSQL: the question of the protocol has its own id there."""
    *rows, features = section(first.out, "prediction log").splitlines()[2:]

    assert len(rows) == 2
    assert sum("first-look" in row for row in rows) == 1
    assert features.endswith("... 24 more")


def test_the_counted_predictions_are_shown(first: Outcome) -> None:
    """The server's own count agrees with the two questions."""
    counts = re.findall(r"^  predictions_total\{.*\} (\d+)", first.out, re.MULTILINE)

    assert sum(map(int, counts)) == 2


def test_the_endpoints_are_listed(first: Outcome) -> None:
    """Whoever reads the summary knows where everything answers."""
    shown = section(first.out, "endpoints\n")

    for place in ("/predict", "/v2", "/metrics", "/docs", "postgresql://", "S3"):
        assert place in shown


def test_no_secret_is_shown(workplace: Workplace, first: Outcome) -> None:
    """The summary may be pasted anywhere: it names where the passwords are, not what they are."""
    state = workplace.folder / FOLDER
    [identity] = json.loads((state / "s3-credentials.json").read_text())["identities"]
    secrets = [(state / "postgres-password").read_text(), identity["credentials"][0]["secretKey"]]

    assert not [secret for secret in secrets if secret in first.out + first.err]


def test_the_question_to_try_next_is_at_hand(workplace: Workplace, first: Outcome) -> None:
    """The command that asks again reads a file that is there and holds a whole row."""
    [file] = re.findall(r"-d @(\S+)", first.out)

    assert len(json.loads((workplace.folder / file).read_text())) == 30


def test_the_summary_fits_a_terminal(first: Outcome) -> None:
    """No line is wider than a terminal but what must stay whole: counts, commands, addresses."""
    whole = ("predictions_total{", str(SAMPLE), "curl", "://")
    prose = [line for line in first.out.splitlines() if not any(text in line for text in whole)]

    assert max(map(len, prose)) <= 80


def test_a_second_call_trains_nothing(workplace: Workplace, first: Outcome) -> None:
    """The same YAML finds its sealed version, which is judged and served again."""
    second = workplace.call(SAMPLE, "--port", "0")

    assert second.code == 0
    assert version_in(second.out) == version_in(first.out)
    assert "existing bundle re-evaluated" in second.out


def test_another_spec_is_judged_against_the_live_version(
    workplace: Workplace, first: Outcome
) -> None:
    """What is live after one call is the champion of the next one's version."""
    file = workplace.write("changed.yaml", quick(SAMPLE.read_text()))

    changed = workplace.call(file, "--port", "0")

    assert changed.code == 0
    assert version_in(changed.out) != version_in(first.out)
    assert f"live {version_in(first.out)} has" in changed.out


@pytest.mark.usefixtures("first")
def test_a_refused_version_is_not_served(workplace: Workplace) -> None:
    """The gate's refusal has an exit code of its own, and what was live stays live."""
    live = (workplace.folder / FOLDER / "live.json").read_text()
    text = quick(SAMPLE.read_text(), trees=1).replace("min: 0.95", "min: 0.9999")
    file = workplace.write("strict.yaml", text)

    refused = workplace.call(file, "--port", "0")

    assert refused.code == 3
    assert re.search(r"refused .*LimitNotMet.*below the limit 0\.9999.*stays live", refused.err)
    assert "infer" not in refused.out
    assert (workplace.folder / FOLDER / "live.json").read_text() == live


@pytest.mark.usefixtures("first")
def test_a_broken_table_is_named_with_its_line(workplace: Workplace) -> None:
    """A failed run says what to fix in the caller's own file, and ends as the trainer did."""
    table = workplace.write("mine.csv", "a,diagnosis\n1,benign\n2,benign,3\n")
    file = workplace.write("quick.yaml", quick(SAMPLE.read_text()))

    failed = workplace.call(file, "--data", table, "--port", "0")

    assert failed.code == 65
    assert f"training failed (DatasetUnreadable): {table}: line 3 has 3 fields" in failed.err


def table_of_a_person() -> str:
    """Return a table as a person has it: gaps, text, true and false, notes and dates."""
    rows = ["age,city,member,note,joined,churned"]
    for number in range(160):
        churned = number % 3 == 0
        age = "" if number % 7 == 0 else 20 + number % 40 + 25 * churned
        city = ("Cork", "Åbo", "")[number // 2 % 3]
        member = "TRUE" if (number % 2 == 0) != churned else "false"
        rows.append(
            f"{age},{city},{member},note number {number},2026-01-{1 + number % 28:02d},"
            + ("yes" if churned else "no")
        )
    return "\n".join(rows) + "\n"


MINIMAL = """\
apiVersion: taxon.dev/v1alpha1
kind: ClassifierModel
metadata: {name: churn}
spec:
  dataset: {uri: s3://tables/churn.csv, target: churned}
"""


@pytest.fixture(scope="module")
def mixed(workplace: Workplace) -> Outcome:
    """Return the outcome of a table with gaps and categories that nobody has prepared."""
    table = workplace.write("churn.csv", table_of_a_person())
    file = workplace.write("churn.yaml", f"{MINIMAL}  search: {{strategy: None}}\n")
    outcome = workplace.call(file, "--data", table, "--port", "0")
    assert outcome.code == 0, outcome.err
    return outcome


def test_a_table_with_gaps_and_categories_needs_no_more_than_its_target(mixed: Outcome) -> None:
    """The summary says what each column was taken for, and what was left out, and why."""
    shown = " ".join(section(mixed.out, "churn v").split())

    assert "numbers: age (may be missing)" in shown
    assert "true or false: member" in shown
    assert "categories: city (2 different, may be missing)" in shown
    assert re.search(r"columns left out: note \(.+\), joined \(.*dates?.*\)", shown)


def test_a_row_with_text_and_a_gap_is_asked_for_with_each_api(mixed: Outcome) -> None:
    """V2 has a tensor per feature, and both have the same row."""
    tensors = json.loads(said(mixed.out, "/v2/models/churn/infer", ">"))["inputs"]
    plain = json.loads(said(mixed.out, "/predict\n", ">"))

    assert {one["name"]: one["datatype"] for one in tensors} == {
        "age": "FP64", "city": "BYTES", "member": "BOOL",
    }  # fmt: skip
    assert {one["name"]: one["data"][0] for one in tensors} == plain
    assert list(plain.values()).count(None) == 1
    assert json.loads(said(mixed.out, "/predict\n", "<"))["prediction"] in ("no", "yes")


def test_the_log_has_the_row_as_it_was_sent(mixed: Outcome) -> None:
    """Text, true or false, null."""
    plain = json.loads(said(mixed.out, "/predict\n", ">"))
    [row] = re.findall(r"^  features: (.*)$", mixed.out, re.MULTILINE)

    assert json.loads(f"[{row}]") == list(plain.values())


def test_a_table_that_is_elsewhere_is_explained() -> None:
    """A bucket local mode does not have comes with the way out."""
    uri = "s3://warehouse/table.csv"
    failed = RunResult(
        outcome="Failed", reason="DatasetNotFound", message=f"{uri} does not exist: check bucket"
    )

    assert why_training_failed(failed, uri, uri) == (
        "training failed (DatasetNotFound): s3://warehouse/table.csv does not exist: check bucket;"
        " local mode has the tables of s3://samples/ only: pass --data TABLE"
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Yield a port another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_reported_before_any_work(tmp_path: Path, taken_port: int) -> None:
    """Whoever has the port is found before a minute of training, not after."""
    outcome = Workplace(tmp_path).call(SAMPLE, "--port", str(taken_port))

    assert outcome.code == 1
    assert f"port {taken_port} is in use by another program" in outcome.err
    assert "training" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["absent.yaml"], "absent.yaml: No such file or directory: check the path"),
        ([SAMPLE, "--data", "absent.csv"], "absent.csv: No such file or directory"),
        ([SAMPLE, "--data", "table.xlsx"], "table.xlsx: the name must end with .csv or .parquet"),
        ([SAMPLE, "--port", "65536"], "a port is at most 65535"),
        ([SAMPLE, "--port", "http"], "invalid port value"),
    ],
)
def test_a_call_at_fault_is_reported_at_once(
    tmp_path: Path, arguments: list[str | Path], reason: str
) -> None:
    """What the caller can fix is one sentence, with an exit code of its own."""
    outcome = Workplace(tmp_path).call(*arguments)

    assert outcome.code == 2
    assert reason in outcome.err.splitlines()[-1]
