"""Alerts: each fires when it should, stays quiet when it should, and says what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import charts, monitoring

from hack import tools

HERE = Path(__file__).parent
RUNBOOKS, GRAFANA = "https://example.com/runbooks", "https://grafana.example.com"
CASES = {file.stem: yaml.safe_load(file.read_text()) for file in (HERE / "alerts").iterdir()}
HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation")

Alert = dict[str, Any]


def alerts() -> dict[str, Alert]:
    """Return the alerts the chart renders, by the name of their runbook."""
    values = {
        "database": {"evaluation": True},
        "monitoring": {"enabled": True, "runbooks": RUNBOOKS, "grafana": GRAFANA},
    }
    manifests = charts.objects(charts.render(values))
    [group] = charts.named(manifests, "PrometheusRule", "taxon")["spec"]["groups"]
    return {Path(one["annotations"]["runbook_url"]).stem: one for one in group["rules"]}


@pytest.fixture(scope="module")
def rules() -> dict[str, Alert]:
    """Return the alerts the chart renders, by the name of their runbook."""
    return alerts()


def promtool(*words: str | Path) -> None:
    """Let promtool judge; what it says is the failure."""
    done = subprocess.run([tools.promtool(), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def written(folder: Path, rules: list[Alert]) -> Path:
    """Write rules as Prometheus reads them."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "taxon", "rules": rules}]}))
    return file


def story(alert: str, case: dict[str, Any], *, fires: bool) -> dict[str, Any]:
    """Return promtool's form of one case."""
    expected = [{"exp_labels": case["labels"]}] if fires else []
    series = [{"series": name, "values": values} for name, values in case["series"].items()]
    test = {"eval_time": case["at"], "alertname": alert, "exp_alerts": expected}
    return {"interval": case.get("every", "1m"), "input_series": series, "alert_rule_test": [test]}


def test_every_alert_has_a_case_that_fires_and_one_that_stays_quiet(
    rules: dict[str, Alert],
) -> None:
    """No alert is without its cases, and no case without its alert."""
    assert CASES.keys() == rules.keys()
    assert all(case["fires"] and case["quiet"] for case in CASES.values())


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "quiet"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_an_alert_fires_when_it_should_and_only_then(
    name: str, rules: dict[str, Alert], tmp_path: Path, *, fires: bool
) -> None:
    """Prometheus evaluates the rendered rule over each case's series as the case expects."""
    alert = rules[name]
    file = written(tmp_path, [alert | {"annotations": {}}])
    cases = CASES[name]["fires" if fires else "quiet"]
    tests = [story(alert["alert"], case, fires=fires) for case in cases]
    stories = tmp_path / "stories.yaml"
    every = {"evaluation_interval": cases[0].get("every", "1m")}
    stories.write_text(yaml.safe_dump({"rule_files": [str(file)], "tests": tests} | every))
    promtool("test", "rules", stories)


def test_without_a_database_nobody_misses_the_monitor() -> None:
    """The alert about a monitor that is absent is there with the monitor."""
    manifests = charts.objects(charts.render({"monitoring": {"enabled": True}}))
    [group] = charts.named(manifests, "PrometheusRule", "taxon")["spec"]["groups"]
    assert "TaxonMonitorNotAnswering" not in [one["alert"] for one in group["rules"]]


def test_prometheus_takes_the_rules(rules: dict[str, Alert], tmp_path: Path) -> None:
    """Expressions and templates of texts are well-formed."""
    promtool("check", "rules", written(tmp_path, list(rules.values())))


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_an_alert_reads_is_exposed(name: str, rules: dict[str, Alert]) -> None:
    """Every metric and label in an alert exists in code."""
    assert monitoring.unknown(rules[name]["expr"]) == []


@pytest.mark.parametrize("name", sorted(CASES))
def test_texts_name_only_labels_the_alert_has(name: str, rules: dict[str, Alert]) -> None:
    """No text is left with a hole in it."""
    texts = " ".join(rules[name]["annotations"].values())
    named = set(re.findall(r"\$labels\.(\w+)", texts))
    for case in CASES[name]["fires"]:
        assert named <= case["labels"].keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_alert_says_what_to_do_and_where_to_look(name: str, rules: dict[str, Alert]) -> None:
    """Severity, summary, description, and links to its own runbook and to a dashboard we have."""
    alert = rules[name]
    texts = alert["annotations"]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert texts["summary"]
    assert texts["description"].endswith(".")
    assert texts["runbook_url"] == f"{RUNBOOKS}/{name}.md"
    uid = texts["dashboard_url"].removeprefix(f"{GRAFANA}/d/").split("?")[0]
    assert uid in {one["uid"] for one in monitoring.dashboards().values()}


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_alert_has_a_runbook(name: str, rules: dict[str, Alert]) -> None:
    """The page has the alert as its title, the four chapters, and commands to copy."""
    page = (charts.ROOT / "docs" / "runbooks" / f"{name}.md").read_text()
    title, *chapters = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    assert title == rules[name]["alert"]
    assert tuple(chapters) == HEADINGS
    diagnosis = page.split("## Diagnosis")[1].split("## Mitigation")[0]
    assert "```" in diagnosis


def test_logs_of_a_container_are_asked_of_pods_that_have_it() -> None:
    """Finished training pods carry the model's label too, and have no such container."""
    docs = charts.ROOT / "docs"
    commands = [
        line
        for page in docs.rglob("*.md")
        for line in page.read_text().splitlines()
        if "kubectl logs" in line and "-l taxon.dev/model=" in line
    ]

    assert commands
    assert all("app.kubernetes.io/component=" in command for command in commands)


def test_every_runbook_has_an_alert() -> None:
    """No page is left behind."""
    pages = {page.stem for page in (charts.ROOT / "docs" / "runbooks").iterdir()}
    assert pages == CASES.keys()


def test_the_operations_page_lists_every_alert(rules: dict[str, Alert]) -> None:
    """Alert, link to its runbook and severity stand in one row each."""
    rows = (charts.ROOT / "docs" / "operations.md").read_text().splitlines()
    listed = {row.rsplit("|", 2)[0] for row in rows if row.startswith("| [Taxon")}
    assert listed == {
        f"| [{alert['alert']}](runbooks/{name}.md) | {alert['labels']['severity']} "
        for name, alert in rules.items()
    }
