"""The device's database: tables, queries, opening and migrations.

Rule of this folder: SQL and nothing else. No rule of the box office is decided here, and nothing here commits.
"""
