import socket

import pytest

from taxon_cli.local import ports
from taxon_cli.local.ports import HOST, PortBlock, PortTaken, is_free


def test_a_block_gives_different_free_ports() -> None:
    """Many servers find room in one block."""
    with PortBlock() as block:
        taken = {block.take() for _ in range(ports.BLOCK - 1)}

    assert len(taken) == ports.BLOCK - 1
    assert all(map(is_free, taken))


def test_two_holders_never_share_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A held block is passed over, and said to be taken when it is the only one."""
    with PortBlock() as block:
        first = block.take() // ports.BLOCK * ports.BLOCK
        monkeypatch.setattr(ports, "FIRST", first)
        monkeypatch.setattr(ports, "LAST", first + 1)

        with pytest.raises(PortTaken, match="no free ports"):
            PortBlock()


def test_a_block_with_a_taken_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program's port inside a block makes the whole block unfit."""
    with PortBlock() as block:
        port = block.take()
    first = port // ports.BLOCK * ports.BLOCK
    monkeypatch.setattr(ports, "FIRST", first)
    monkeypatch.setattr(ports, "LAST", first + 1)

    with socket.create_server((HOST, port)), pytest.raises(PortTaken, match="no free ports"):
        PortBlock()


def test_a_port_somebody_listens_on_is_not_free() -> None:
    """A taken port is seen without asking who has it."""
    with socket.create_server((HOST, 0)) as taken:
        assert not is_free(taken.getsockname()[1])
