"""Serves the votes on PORT."""

import os

import bottle
import waitress

from votes import store


def application(connection):
    """The web application over one database."""
    app = bottle.Bottle()

    @app.get("/")
    def result():
        bottle.response.content_type = "text/plain; charset=utf-8"
        return "".join(f"{number:6} {name}\n" for name, number in store.result(connection))

    @app.post("/<name>")
    def cast(name):
        store.cast(connection, name)
        bottle.response.status = 204

    return app


if __name__ == "__main__":
    waitress.serve(application(store.connect()), port=int(os.environ.get("PORT", "8000")), threads=1)
