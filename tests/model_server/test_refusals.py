import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from taxon_bundle.bundle import Bundle
from taxon_contracts.canonical import sha256_digest
from taxon_contracts.manifest import FORMAT_VERSION, MANIFEST_NAME, SERVING_NAME, object_key
from taxon_model_server.main import EXIT_REFUSED, EXIT_USAGE, listen, main, serve
from taxon_model_server.settings import Settings

Spoil = Callable[[Path, Bundle], str]


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """Return why the server did not serve, from the last line of its log."""
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["level"]) == ("not_serving", "error")
    return str(line["reason"])


def flip_a_byte(folder: Path, bundle: Bundle) -> str:
    """Change one byte of the serving file; the manifest stays as it was."""
    path = folder / object_key(SERVING_NAME, bundle.manifest.files[SERVING_NAME].sha256)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return bundle.digest


def remove_a_file(folder: Path, bundle: Bundle) -> str:
    """Remove a file the server itself does not need."""
    name = "model-card.md"
    (folder / object_key(name, bundle.manifest.files[name].sha256)).unlink()
    return bundle.digest


def ask_for_another(_: Path, __: Bundle) -> str:
    """Ask for another bundle's manifest under this folder."""
    return "sha256:" + "0" * 64


def write_a_newer_format(folder: Path, _: Bundle) -> str:
    """Write the manifest a later release would."""
    path = folder / MANIFEST_NAME
    newer = json.dumps(
        json.loads(path.read_text()) | {"format_version": FORMAT_VERSION + 1}
    ).encode()
    path.write_bytes(newer)
    return sha256_digest(newer)


def empty_the_folder(folder: Path, bundle: Bundle) -> str:
    """Leave no manifest."""
    (folder / MANIFEST_NAME).unlink()
    return bundle.digest


def lie_about_the_answers(folder: Path, bundle: Bundle) -> str:
    """Seal golden rows that scikit-learn never answered like this."""
    name = "golden.json"
    golden = json.loads(bundle.read(name))
    golden["labels"].reverse()
    content = json.dumps(golden).encode()
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    digest = sha256_digest(content)
    sha256 = digest.removeprefix("sha256:")
    manifest["files"][name] = {"sha256": sha256, "size": len(content)}
    path = folder / object_key(name, sha256)
    path.parent.mkdir()
    path.write_bytes(content)
    sealed = json.dumps(manifest).encode()
    (folder / MANIFEST_NAME).write_bytes(sealed)
    return sha256_digest(sealed)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (flip_a_byte, "classifier.onnx: its content is not what the manifest"),
        (remove_a_file, "model-card.md: missing in"),
        (ask_for_another, "manifest.json: the bundle under"),
        (write_a_newer_format, f"manifest.json: format {FORMAT_VERSION + 1} is newer than the"),
        (empty_the_folder, "manifest.json: no bundle is sealed under"),
        (lie_about_the_answers, "golden.json: a label differs"),
    ],
)
def test_a_damaged_bundle_is_refused(
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Spoil,
    said: str,
) -> None:
    """The server exits with 1 and one sentence that names the file, also in the termination log."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle.uri, folder)
    digest = spoil(folder, bundle)
    termination_log = tmp_path / "termination-log"
    termination_log.touch()
    code = serve(
        Settings(
            bundle=str(folder), digest=digest, name="x", port=0, termination_log=termination_log
        )
    )
    reason = refusal(capsys)

    assert code == EXIT_REFUSED
    assert reason.startswith(said)
    assert termination_log.read_text() == f"{reason}\n"


def test_a_bundle_of_another_version_than_the_pod_is_labelled_with_is_refused(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    """A label that names another version ends the server with a sentence that has both."""
    code = serve(
        Settings(bundle=bundle.uri, digest=bundle.digest, name="x", version="v0000000000", port=0)
    )
    reason = refusal(capsys)

    assert code == EXIT_REFUSED
    assert f"is version {bundle.manifest.version}, but v0000000000 was requested" in reason


def test_an_unknown_kind_of_storage_is_refused(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scheme the server does not speak ends it with a sentence that names the bundle."""
    code = serve(
        Settings(
            bundle="ftp://host/bundle",
            digest=bundle.digest,
            name="x",
            port=0,
            termination_log=tmp_path / "none",
        )
    )

    assert code == EXIT_REFUSED
    assert "ftp://host/bundle" in refusal(capsys)


def test_a_taken_port_is_reported(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use ends the server with a sentence that names it and the remedy."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        code = serve(Settings(bundle=bundle.uri, digest=bundle.digest, name="x", port=port))
    reason = refusal(capsys)

    assert code == EXIT_REFUSED
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use)" in reason
    assert "choose another with --port" in reason


@pytest.mark.parametrize(("host", "address"), [("::1", "::1"), ("::", "127.0.0.1")])
def test_the_server_listens_on_ipv6_too(host: str, address: str) -> None:
    """An address with colons is one of IPv6; the one for all takes IPv4 as well."""
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((address, port), timeout=10) as connection:
            assert connection.getpeername()[1] == port


def test_wrong_settings_are_all_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing and wrong settings end the command with 2 and a line that names each."""
    monkeypatch.setattr("sys.argv", ["taxon-server", "--bundle", "/b", "--port", "high"])
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == EXIT_USAGE
    assert capsys.readouterr().err == (
        "taxon-server: set --digest or TAXON_SERVER_DIGEST; set --name or TAXON_SERVER_NAME;"
        " --port (TAXON_SERVER_PORT): Input should be a valid integer, unable to parse string as"
        " an integer\n"
    )


def test_a_machine_without_ipv6_is_served_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address is every address of IPv4 where the kernel has no other."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen("::", 0) as listener:
        assert listener.family == socket.AF_INET
