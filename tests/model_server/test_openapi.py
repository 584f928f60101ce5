import json
import re
from urllib.parse import urlsplit

import jsonschema
import pytest
from model_server.client import Client
from model_server.conftest import MakeClient


def test_docs_is_a_page_over_the_description(client: Client) -> None:
    """/docs is a page that reads the description."""
    page = client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in page.text


def test_docs_needs_no_other_host(client: Client) -> None:
    """Whatever the page loads, this server serves: it works in a closed network."""
    page = client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert [client.get(url).status_code for url in loaded] == [200, 200, 200]
    assert {urlsplit(url).netloc for url in loaded} == {""}


@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
def test_the_description_takes_what_the_server_takes(client: Client, path: str) -> None:
    """The schema's example satisfies the schema, and the server answers it."""
    described = client.get("/openapi.json").json()["paths"][path]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(schema["example"], schema)

    assert client.post(path, json=schema["example"]).status_code == 200


def test_the_description_refuses_what_the_server_refuses(client: Client) -> None:
    """A missing and an extra feature break the schema of /predict, as they break the request."""
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]

    for wrong in ({"length": 1}, schema["example"] | {"height": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_every_reference_is_there(client: Client) -> None:
    """Every type the description refers to is in it."""
    description = client.get("/openapi.json")
    names = set(description.json()["components"]["schemas"])
    referred = {part.split('"')[0] for part in description.text.split("#/components/schemas/")[1:]}

    assert referred <= names


def test_without_a_model_there_is_a_description(make_client: MakeClient) -> None:
    """While the model is loaded, the description says only that features are numbers."""
    client = make_client(loaded=False)
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]

    assert json.dumps(schema) == json.dumps(
        {"type": "object", "additionalProperties": {"type": "number"}}
    )
