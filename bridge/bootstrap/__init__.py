"""The composition root: the one place that knows every part and wires them together.

Read in this order: `assembly` (what a bridge is made of), `server` (what carries it).
"""
