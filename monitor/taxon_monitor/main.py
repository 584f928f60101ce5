"""`taxon-monitor`: answer the controller and Prometheus from the database."""


def main() -> None:
    """Run the command."""
    raise NotImplementedError


if __name__ == "__main__":
    main()
