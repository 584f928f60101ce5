"""`python -m taxon_datastore.commands.maintain`: create the partitions of the coming days.

A CronJob of the chart runs it daily, as the schema's owner: servers may not create tables.
"""

import sys

from taxon_contracts import logs
from taxon_datastore.commands.migrate import Settings, read_settings, until_it_answers
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine, transaction
from taxon_datastore.partitions import make_partitions


def main() -> None:
    """Run once; a failure is one sentence."""
    logs.configure()
    settings = read_settings()
    try:
        until_it_answers(lambda: _maintain(settings), settings)
    except ValueError as error:
        sys.exit(f"{error}.")
    except (DatabaseRefused, DatabaseUnavailable) as error:
        sys.exit(f"the partitions of the next days cannot be created: {error}.")


def _maintain(settings: Settings) -> None:
    with transaction(engine(settings.url)) as connection:
        make_partitions(connection)


if __name__ == "__main__":
    main()
