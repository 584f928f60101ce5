"""The table of conditions and reasons is whole, and the pages made of it are committed."""

import re
from typing import get_args

import pytest

from hack.generate import ROOT, generated_files
from taxon_contracts.conditions import CONDITION_TYPES
from taxon_contracts.gate import GateReason
from taxon_contracts.reasons import REASONS
from taxon_contracts.run import FinalReason, RetryableReason


@pytest.mark.parametrize("path", generated_files(), ids=lambda path: path.name)
def test_a_generated_file_is_what_the_contracts_generate(path: object) -> None:
    """`make generate` after a change of the contracts, and commit the result."""
    (content,) = [text for known, text in generated_files().items() if known == path]

    assert (ROOT / str(path)).read_text() == content


def test_the_trainer_and_the_gate_give_no_reason_the_table_lacks() -> None:
    """A result's reason is written into conditions as it is."""
    given = {*get_args(FinalReason), *get_args(RetryableReason), *get_args(GateReason)}

    assert given - REASONS.keys() == set()


def test_every_reason_is_a_camel_case_word_on_known_conditions() -> None:
    """Kubernetes accepts nothing else as a reason."""
    assert [name for name in REASONS if not re.fullmatch(r"[A-Z][A-Za-z]{2,63}", name)] == []
    assert {kind for reason in REASONS.values() for kind in reason.types} == set(CONDITION_TYPES)
