"""The operator: observe one model, plan what should exist, apply it, report."""
