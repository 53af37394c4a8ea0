"""`factoryops keys ...`: the keys that seal reports."""

from typing import Annotated

import typer

from factoryops.at_home import Home
from warehouse.settings import Settings

app = typer.Typer(help="Keys that seal reports.", no_args_is_help=True)


@app.command()
def create(organisation: Annotated[str, typer.Option(help="Name in the certificates.")] = "FactoryOps", home: Home = None) -> None:
    """Make a self-signed authority and a signing key (ECDSA P-256). Existing keys are never replaced."""
    from assets.reporting.keys import create_keys, key_files
    from warehouse.clock import SystemClock

    files = key_files(Settings.load(**({"factoryops_home": home} if home else {})))
    create_keys(files, SystemClock(), organisation)
    print(f"Authority    {files.authority}  (give this file to your auditors)\nSigning key  {files.key}")
    print(f"Move {files.authority_key} to a safe place offline: it is needed only to make the next signing key.")


@app.command()
def show(home: Home = None) -> None:
    """Where the keys are and until when the signing key is valid."""
    from cryptography import x509

    from assets.reporting.keys import KeysError, key_files

    files = key_files(Settings.load(**({"factoryops_home": home} if home else {})))
    if not files.exist:
        raise KeysError(f"there are no keys in {files.folder}; `factoryops keys create` makes them")
    found = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    print(f"{files.certificate}\n  {found.subject.rfc4514_string()}\n  valid until {found.not_valid_after_utc:%Y-%m-%d}")
