"""`python -m taxon_datastore.commands.maintain`: partitions ahead, and the end of old rows.

A CronJob of the chart runs it daily, as the schema's owner: servers may not create tables.
"""

import sys

from taxon_contracts import logs
from taxon_datastore.commands.migrate import read_settings, until_it_answers
from taxon_datastore.database import DatabaseRefused, DatabaseUnavailable, engine
from taxon_datastore.retention import maintain


def main() -> None:
    """Run once; a failure is one sentence."""
    logs.configure()
    settings = read_settings()
    try:
        database = engine(settings.url)
        until_it_answers(
            lambda: maintain(database, retention_days=settings.retention_days), settings
        )
    except ValueError as error:
        sys.exit(f"{error}.")
    except (DatabaseRefused, DatabaseUnavailable) as error:
        sys.exit(f"the prediction log cannot be maintained: {error}.")


if __name__ == "__main__":
    main()
