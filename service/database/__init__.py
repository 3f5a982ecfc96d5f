"""The database: tables, sessions that see one authority alone, and migrations.

- `base`, `tables`: what is stored, and the constraints that make races safe
- `engine`: how a session begins, on SQLite and on PostgreSQL
- `safeguards`: triggers and row-level security, as the migrations lay them
- `upgrade`: `kith migrate`
"""
