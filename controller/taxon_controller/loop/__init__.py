"""The running parts: watches, the queue, and the reconciler."""
