"""The monitor: answers the controller and Prometheus from the database."""
