"""The rules, one a module: `check(build, given) -> Iterator[Finding]`; the folder is the registry."""
