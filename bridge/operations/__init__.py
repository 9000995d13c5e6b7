"""Watching a running bridge: logs, health, metrics, and control from the same machine.

Rule: nothing here sees a request's body, query or headers, and nothing here decides anything.
"""
