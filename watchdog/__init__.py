"""watchdog: watches workloads after every release and rolls a bad one back to the last known good.

Role: the import package of the distribution ``rollback-watchdog``. The rooms and the direction of the data stand in
``docs/architecture.md``; the floors between the rooms are kept by import-linter (``pyproject.toml``).
"""
