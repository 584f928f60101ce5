import os
import signal

import pytest

from taxon_cli.signals import Interrupted, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work(number: signal.Signals) -> None:
    """Whatever asks for an end arrives as one exception."""
    with pytest.raises(Interrupted) as caught, interruptible():
        os.kill(os.getpid(), number)

    assert caught.value.number == number


def put_away_under_fire(done: list[str]) -> None:
    """Work until a signal comes, and let another one come while putting away."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        done.append("put away")


def test_a_second_signal_does_not_cut_putting_away_short() -> None:
    """An impatient second Ctrl-C leaves nothing behind either."""
    done: list[str] = []

    with pytest.raises(Interrupted), interruptible():
        put_away_under_fire(done)

    assert done == ["put away"]


def test_what_is_ignored_stays_ignored() -> None:
    """A call under nohup survives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_are_put_back() -> None:
    """Afterwards signals mean what they meant before."""
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(Interrupted), interruptible():
        os.kill(os.getpid(), signal.SIGINT)

    assert signal.getsignal(signal.SIGINT) is before
