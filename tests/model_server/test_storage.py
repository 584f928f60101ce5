from pathlib import Path

import pytest
from model_server.conftest import MakeClient

from taxon_bundle.bundle import Bundle, BundleError, seal
from taxon_contracts.manifest import RUN_RECORD_NAME


def copied(bundle: Bundle, uri: str) -> Bundle:
    """Seal the same bundle under another URI."""
    contents = {name: bundle.read(name) for name in bundle.manifest.files}
    record = bundle.store.read(RUN_RECORD_NAME)
    return seal(uri, bundle.manifest, contents, run_record=record)


def test_a_bundle_comes_from_s3(bundle: Bundle, s3_bucket: str, make_client: MakeClient) -> None:
    """A bundle in an object store is verified and served as one in a folder is."""
    client = make_client(served=copied(bundle, f"s3://{s3_bucket}/models/small/"))

    assert client.exchange.state.ready
    assert client.exchange.state.version == bundle.manifest.version


def test_a_bundle_comes_from_a_file_uri(bundle: Bundle, make_client: MakeClient) -> None:
    """A file URI is a folder."""
    client = make_client(bundle=Path(bundle.uri).as_uri())

    assert client.exchange.state.ready


def test_a_bucket_that_is_not_there_is_named(s3_bucket: str, make_client: MakeClient) -> None:
    """Storage without the bundle is refused with the URI, and the server is not ready."""
    missing = f"s3://{s3_bucket}-x/models/small/"
    client = make_client(loaded=False, bundle=missing)
    with pytest.raises(BundleError, match=f"no bundle is sealed under {missing}"):
        client.load()

    assert not client.exchange.state.ready
