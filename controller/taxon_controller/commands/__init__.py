"""Programs of the chart's Jobs and pods that are not the controller."""
