"""The chart's Grafana dashboards, written in Python so that they share code."""

from hack.dashboards import api, model, system
from hack.dashboards.grafana import Dashboard

DASHBOARDS: tuple[Dashboard, ...] = (api.DASHBOARD, model.DASHBOARD, system.DASHBOARD)
