"""`discover users`."""

import getpass
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from classify.console import print_json, say
from discover.commands.options import Json

users = App(name="users", help="Say who may open a shared page: names, passwords, roles.")

UsersFile = Annotated[Path, Parameter(name="--users", help="File of the users.")]
Role = Literal["viewer", "annotator", "admin"]
DEFAULT_FILE = Path("users.toml")


@users.command
def add(
    name: str,
    *,
    role: Role = "annotator",
    file: UsersFile = DEFAULT_FILE,
    password_stdin: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Add a user, or give one a new password and role; a page that runs takes note.

    Example: discover users add mara --role admin --users users.toml

    Parameters
    ----------
    name
        Name to sign in with; verdicts are kept under it.
    role
        viewer looks, annotator decides too, admin starts jobs too.
    password_stdin
        Read the password from the first line of standard input instead of asking twice.
    """
    from discover.users import Account, checked_user_name, hashed, read_users, write_users

    held = read_users(file) if file.exists() else {}
    name = checked_user_name(name)
    known = name in held
    held[name] = Account(role, hashed(_password(name, password_stdin)))
    write_users(file, held)
    say(f"{'changed' if known else 'added'} {name} ({role}): {file}")


@users.command(name="list")
def list_users(*, file: UsersFile = DEFAULT_FILE, as_json: Json = False) -> None:
    """List the users and their roles.

    Example: discover users list --users users.toml
    """
    from discover.users import read_users

    held = read_users(file)
    if as_json:
        print_json([{"name": name, "role": user.role} for name, user in sorted(held.items())])
        return
    for name, user in sorted(held.items()):
        say(f"{user.role:10} {name}")


@users.command
def remove(name: str, *, file: UsersFile = DEFAULT_FILE) -> None:
    """Remove a user, who is signed out of a page that runs; what they decided stays.

    Example: discover users remove mara --users users.toml

    Parameters
    ----------
    name
        Name of the user.
    """
    from discover.users import UsersError, read_users, write_users

    held = read_users(file)
    if held.pop(name.strip(), None) is None:
        raise UsersError(f"name {name!r} is none of the users of {file}: {', '.join(held)}")
    write_users(file, held)
    say(f"removed {name.strip()}: {file}")


def _password(name: str, from_stdin: bool) -> str:
    from discover.users import UsersError

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise UsersError("the two passwords differ: nothing was changed")
    return password
