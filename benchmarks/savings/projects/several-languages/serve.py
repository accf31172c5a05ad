import pathlib

print(pathlib.Path("static/main.js").read_text())
