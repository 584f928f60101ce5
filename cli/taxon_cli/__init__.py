"""`taxon`: the command people run, also installed as `kubectl-taxon`."""
