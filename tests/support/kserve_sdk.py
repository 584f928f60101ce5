"""KServe's own Python package, for the tests that hold us to it."""

import importlib
import sys
from types import ModuleType

import pytest


def kserve_sdk() -> ModuleType:
    """Return the package: importing it takes seconds, and parses this process's command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", sys.argv[:1])
        return importlib.import_module("kserve")
