"""The ServiceAccounts a model's pods run under."""

from taxon_controller.domain.model import Model
from taxon_controller.settings import Settings


def trainer_account(model: Model, settings: Settings) -> str:
    """Return the ServiceAccount of training pods."""
    return model.spec.training.service_account_name or settings.trainer_account


def server_account(model: Model, settings: Settings) -> str:
    """Return the ServiceAccount of servers."""
    return model.spec.serving.service_account_name or settings.server_account


def accounts(model: Model, settings: Settings) -> frozenset[str]:
    """Return every ServiceAccount a model needs."""
    return frozenset((trainer_account(model, settings), server_account(model, settings)))
