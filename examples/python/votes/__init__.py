"""Counts votes: POST /<name> casts one, GET / shows the result."""
