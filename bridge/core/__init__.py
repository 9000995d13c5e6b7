"""Pure values and functions: what a resource is, what changed, what to do about it.

Rule: nothing in this package performs I/O, reads a clock or the environment, or imports a
framework.

Read in this order: `resources`, `schema`, `filters`, `patch`, `changes`, `delivery`, `backend`,
`errors`.
"""
