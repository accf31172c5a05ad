"""The votes in PostgreSQL."""

import os

import psycopg2


def connect():
    """A connection to the database that DATABASE_URL names, with the table in it."""
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS votes (name text PRIMARY KEY, number integer NOT NULL)")
    return connection


def cast(connection, name):
    """Counts one more vote for `name`."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO votes VALUES (%s, 1) ON CONFLICT (name) DO UPDATE SET number = votes.number + 1", (name,)
        )


def result(connection):
    """All names with their votes, the most first."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, number FROM votes ORDER BY number DESC, name")
        return cursor.fetchall()
