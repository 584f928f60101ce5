"""The chart's Grafana dashboards, written in Python so that what they share is said once."""

from hack.dashboards import api, model, system
from hack.dashboards.grafana import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (api.DASHBOARD, model.DASHBOARD, system.DASHBOARD)
