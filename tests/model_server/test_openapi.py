import re
from urllib.parse import urlsplit

import jsonschema
import pytest
from model_server.client import Client
from model_server.conftest import MakeClient
from model_server.mixed import PORTS, ROW


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
@pytest.mark.parametrize("model", ["client", "mixed_client"])
def test_the_description_takes_what_the_server_takes(
    request: pytest.FixtureRequest, model: str, path: str
) -> None:
    """The schema's example satisfies the schema, and the server answers it without a warning."""
    client: Client = request.getfixturevalue(model)
    described = client.get("/openapi.json").json()["paths"][path]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(schema["example"], schema)

    answer = client.post(path, json=schema["example"])

    assert answer.status_code == 200
    assert "warnings" not in answer.text


def test_the_description_has_each_features_type(mixed_client: Client) -> None:
    """Null where a missing value is accepted, and the most frequent categories as examples."""
    described = mixed_client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]

    assert schema["example"] == ROW
    assert schema["properties"] == {
        "age": {"type": ["number", "null"]},
        "fare": {"type": "number"},
        "member": {"type": "boolean"},
        "port": {"type": ["string", "null"], "examples": [*PORTS]},
        "deck": {"type": "string", "examples": ["A"]},
    }


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
    """While the model is loaded, the description says only that a row is an object."""
    client = make_client(loaded=False)
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]

    assert schema == {"type": "object"}


@pytest.mark.parametrize("path", ["/labels", "/v2/models/small/labels"])
def test_the_description_has_the_labels(labelled_client: Client, path: str) -> None:
    """Its example satisfies the schema, and the server can read it."""
    description = labelled_client.get("/openapi.json").json()
    content = description["paths"][path]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    jsonschema.validate(schema["example"], schema | {"components": description["components"]})

    answer = labelled_client.post(path, json=schema["example"]).json()

    assert answer["results"][0]["reason"].startswith("the log has no prediction")
