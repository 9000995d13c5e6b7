"""The engine: from pending versions to targets that hold them.

Read in this order: `attempt` (one try), `turn` (one transaction), `slot` (one thread), `lane` (one
backend), `dispatcher` (all of them), `planner` (the same without writing).
"""
