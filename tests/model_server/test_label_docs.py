"""The page about labels says what the server does."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from model_server.client import Client

PAGE = (Path(__file__).parents[2] / "docs" / "labels.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_examples() -> None:
    """Each call of curl is followed by its answer."""
    assert len(EXAMPLES) == PAGE.count("curl ") >= 3


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_every_call_of_the_page_gets_its_answer(
    labelled_client: Client, command: str, shown: str
) -> None:
    """Sent as curl would send it."""
    _, _, url, _, header, _, body = shlex.split(command)
    name, _, value = header.partition(": ")

    answer = labelled_client.post(urlsplit(url).path, content=body, headers={name: value})

    assert answer.json() == json.loads(shown)
