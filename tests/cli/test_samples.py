import pytest

from hack import samples


@pytest.mark.parametrize("name", samples.TABLES)
def test_a_sample_table_is_what_the_script_writes(name: str) -> None:
    """The committed table is scikit-learn's copy, byte for byte."""
    assert (samples.SAMPLES / name).read_text() == samples.table(name)


@pytest.mark.parametrize("name", samples.TABLES)
def test_a_sample_request_is_the_first_row_of_its_table(name: str) -> None:
    """The committed request holds the table's first row, features by name."""
    assert samples.row_file(name).read_text() == samples.row(name)


def test_every_table_is_written_by_the_script() -> None:
    """No table is there without its source."""
    assert {file.name for file in samples.SAMPLES.glob("*.csv")} == set(samples.TABLES)
