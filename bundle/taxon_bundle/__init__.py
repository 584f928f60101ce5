"""Reading, verifying and writing bundles, and the exact classifier inside one."""
