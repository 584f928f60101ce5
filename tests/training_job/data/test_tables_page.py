"""The example of docs/tables.md is read as the page says."""

import re
from pathlib import Path

import yaml
from support.training import small_identity

from taxon_training_job.data.examples import examine
from taxon_training_job.data.left_out import left_out_sentence
from taxon_training_job.data.table import read_table

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


def test_the_pages_example_is_read_as_it_says(tmp_path: Path) -> None:
    """Types, gaps and what is left out."""
    text = PAGE.read_text()
    (content,) = re.findall(r"```\n(port,cabin.*?)```", text, re.DOTALL)
    (document,) = re.findall(r"```yaml\n([^`]*name: crossings.*?)```", text, re.DOTALL)
    file = tmp_path / "crossings.csv"
    file.write_text(content)
    dataset = yaml.safe_load(document)["spec"]["dataset"]
    examples = examine(read_table(str(file), dataset["target"]), small_identity(dataset=dataset))

    assert [(one.name, one.type, one.has_gaps) for one in examples.columns] == [
        ("port", "Categorical", True),
        ("cabin", "Numeric", False),
        ("age", "Numeric", True),
        ("fare", "Numeric", True),
        ("member", "Boolean", True),
    ]
    assert examples.columns[0].categories == ("Brest", "Cork", "Åbo")
    assert left_out_sentence(examples.left_out) == "left out: 'day' (dates or times)"
