"""What runs: watches, the queue, and each look carried through."""
