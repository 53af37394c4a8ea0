"""`python -m factoryops` is the command line."""

from factoryops.cli import app

app()
