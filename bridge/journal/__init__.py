"""The durable journal: resources, members, links, change records, cursors and audit.

Rule: everything that follows from one request is written in one transaction, or not at all.
"""
