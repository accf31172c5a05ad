from setuptools import Extension, setup

setup(name="tally", version="1.0.0", packages=["tally"], ext_modules=[Extension("tally._count", ["tally/_count.c"])])
