"""One team's keys in a real object store: what they open, and what they are refused."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from taxon_bundle.location import open_store
from taxon_bundle.s3 import create_bucket
from taxon_bundle.storage import ObjectMissing, StorageDenied, StorageError, Store
from taxon_cli.local.object_store import running_object_store
from taxon_cli.local.ports import PortBlock
from taxon_controller.commands import identities
from taxon_controller.commands.identities import Identity

SEED, ROOT = "seed", "s3://bundles/root"
ADMIN = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "secret of admin"}
TRAINER = identities.trainer(SEED, "fraud", ROOT)
SERVER = identities.server(SEED, "fraud", ROOT)
PERSON = identities.tables(SEED, "fraud")
CLEANUP = identities.cleanup(SEED, ROOT)

Use = Callable[[Identity | None, str], Store]


class Case(NamedTuple):
    """Whose keys, and a folder."""

    identity: Identity
    folder: str


@pytest.fixture(scope="module")
def use(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Use]:
    """Yield what opens a folder of a store with somebody's keys; None are the administrator's."""
    state = tmp_path_factory.mktemp("store")
    configuration = identities.configuration(SEED, ["fraud", "churn", "fraud-2"], ROOT, ADMIN)
    (state / "s3-credentials.json").write_text(configuration)
    with (
        PortBlock() as ports,
        running_object_store(state, ports) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.environment.items():
            patch.setenv(name, value)

        def opened(identity: Identity | None, folder: str) -> Store:
            access = identity.access_key if identity else ADMIN["AWS_ACCESS_KEY_ID"]
            secret = identity.secret_key if identity else ADMIN["AWS_SECRET_ACCESS_KEY"]
            patch.setenv("AWS_ACCESS_KEY_ID", access)
            patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            return open_store(folder)

        fill(opened)
        yield opened


def fill(use: Use) -> None:
    """Put an object wherever tests look."""
    use(None, "s3://bundles/")
    for bucket in ("bundles", "samples", "tables"):
        create_bucket(bucket)
    for folder in (
        *(f"{ROOT}/{namespace}/iris/v1/" for namespace in ("fraud", "churn", "fraud-2")),
        "s3://samples/",
        "s3://tables/",
        "s3://tables/fraud/",
        "s3://tables/churn/",
    ):
        use(None, folder).write("object", b"content")


OTHERS = (f"{ROOT}/churn/iris/v1/", f"{ROOT}/fraud-2/iris/v1/", "s3://tables/churn/")
OWN = f"{ROOT}/fraud/iris/v1/"
READABLE = [
    Case(TRAINER, OWN),
    Case(TRAINER, "s3://samples/"),
    Case(TRAINER, "s3://tables/fraud/"),
    Case(SERVER, OWN),
    Case(PERSON, "s3://tables/fraud/"),
]
SECRET = [
    *(Case(who, folder) for who in (TRAINER, SERVER, PERSON) for folder in OTHERS),
    *(Case(who, "s3://tables/") for who in (TRAINER, SERVER, PERSON)),
    Case(SERVER, "s3://samples/"),
    Case(SERVER, "s3://tables/fraud/"),
    Case(PERSON, OWN),
    Case(CLEANUP, "s3://tables/fraud/"),
]
WRITABLE = [
    Case(TRAINER, OWN),
    Case(PERSON, "s3://tables/fraud/"),
    Case(CLEANUP, OWN),
    Case(CLEANUP, f"{ROOT}/churn/iris/v1/"),
]
READ_ONLY = [
    Case(SERVER, OWN),
    Case(TRAINER, "s3://samples/"),
    Case(TRAINER, "s3://tables/fraud/"),
    *SECRET,
]


def described(case: Case) -> str:
    """Return what a case is called."""
    return f"{case.identity.name}: {case.folder}"


@pytest.mark.parametrize("case", READABLE, ids=described)
def test_what_a_pod_needs_can_be_read(use: Use, case: Case) -> None:
    """Reading and listing work where the work is, and what is missing is missing, not denied."""
    store = use(*case)
    assert store.read("object") == b"content"
    assert "object" in store.keys()  # noqa: SIM118 - a store is no mapping
    with pytest.raises(ObjectMissing):
        store.read("absent")


@pytest.mark.parametrize("case", SECRET, ids=described)
def test_another_teams_objects_can_neither_be_read_nor_listed(use: Use, case: Case) -> None:
    """Everything beyond is denied, a namespace whose name begins the same among it."""
    store = use(*case)
    with pytest.raises(StorageDenied):
        store.read("object")
    with pytest.raises(StorageDenied):
        store.keys()


@pytest.mark.parametrize("case", WRITABLE, ids=described)
def test_what_a_pod_makes_can_be_written(use: Use, case: Case) -> None:
    """Writing, sealing and removing work where the work is."""
    store = use(*case)
    store.write("new", b"1")
    assert store.create("sealed", b"1")
    assert not store.create("sealed", b"2")
    store.delete("new")
    store.delete("sealed")


@pytest.mark.parametrize("case", READ_ONLY, ids=described)
def test_everything_else_can_neither_be_written_nor_removed(use: Use, case: Case) -> None:
    """A key that only reads, and every key elsewhere, changes nothing."""
    store = use(*case)
    with pytest.raises(StorageDenied):
        store.write("object", b"overwritten")
    with pytest.raises(StorageDenied):
        store.create("new", b"1")
    with pytest.raises(StorageDenied):
        store.delete("object")
    assert use(None, case.folder).read("object") == b"content"


def test_a_key_leads_nowhere_by_a_detour(use: Use) -> None:
    """Two dots in a key do not lead from one namespace into another."""
    with pytest.raises(StorageError):
        use(TRAINER, f"{ROOT}/fraud/").read("../churn/iris/v1/object")


def test_keys_follow_from_the_seed_alone() -> None:
    """The store and the pods agree, whoever computes them; another seed shares none."""
    assert identities.trainer(SEED, "fraud", ROOT) == TRAINER
    assert identities.trainer("other", "fraud", ROOT).secret_key != TRAINER.secret_key


def test_a_root_without_a_prefix_is_separated_as_well() -> None:
    """Bundles directly in a bucket are still below their namespace."""
    actions = identities.server(SEED, "fraud", "s3://bundles").actions
    assert actions == ("Read:bundles/fraud/*", "List:bundles/fraud/*")
