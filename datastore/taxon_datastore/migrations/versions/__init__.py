"""Steps in order, numbered in four digits; a released one never changes.

They only add, and a new column has a default: releases before and after a step work on its schema.
"""
