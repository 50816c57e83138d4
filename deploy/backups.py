"""A backup of an embedded installation: one file with its database and its keys, which are worth nothing without each other.

    latchkey.db         the database, as it was at one moment
    keys/NAME.json      each key file

Settings are the operator's own files, and stay out of it.
"""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded import DATABASE, KEYS
from shared import keys
from shared.settings import Settings
from shared.storage.snapshot import revision_of, snapshot

MEMBERS = (DATABASE, *(f"{KEYS}/{name}.json" for name in keys.FILES))
"""All that is in a backup, and all that is ever taken out of one."""


def back_up(settings: Settings, file: Path) -> int:
    """Write a backup, for its owner alone, while the installation may be running; return its bytes.

    Raises:
        ValueError: there is such a file already or no folder for it, or the database is not SQLite.
        KeysError: a key file is missing or damaged.
        StoreUnavailable: the database does not answer.
    """
    if file.exists():
        raise ValueError(f"{file} exists already; name another file")
    if not file.absolute().parent.is_dir():
        raise ValueError(f"there is no folder {file.absolute().parent}; make it, or name another file")
    for kind in keys.FILES.values():
        keys.read(settings.keys_dir, kind)
    with _folder_beside(file) as folder:
        snapshot(settings.database_url.get_secret_value(), folder / DATABASE)
        sources = (folder / DATABASE, *(settings.keys_dir / Path(name).name for name in MEMBERS[1:]))
        packed = folder / "backup"
        with os.fdopen(os.open(packed, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as output:
            with tarfile.open(fileobj=output, mode="w:gz") as archive:
                for name, source in zip(MEMBERS, sources, strict=True):
                    archive.add(source, arcname=name)
            output.flush()
            os.fsync(output.fileno())
        # Whole or not at all, whatever happens on the way.
        return packed.replace(file).stat().st_size


def restore(file: Path, data: Path) -> str:
    """Make an installation in *data* out of a backup, and return the schema of its database.

    Raises:
        ValueError: there is something in *data*, or the file is not a whole backup; nothing was changed then.
        KeysError: a key file in it is damaged.
    """
    if data.exists() and any(data.iterdir()):
        raise ValueError(f"{data} is not empty; stop Latchkey and move the folder away, or name another")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _folder_beside(data / DATABASE) as folder:
        _unpack(file, folder)
        for kind in keys.FILES.values():
            keys.read(folder / KEYS, kind)
        schema = revision_of(folder / DATABASE)
        # The database comes last: a folder without one is no installation.
        for name in (KEYS, DATABASE):
            (folder / name).replace(data / name)
    return schema


def _unpack(file: Path, folder: Path) -> None:
    (folder / KEYS).mkdir(mode=0o700)
    try:
        with tarfile.open(file, mode="r:gz") as archive:
            for name in MEMBERS:
                source = archive.extractfile(name)
                if source is None:
                    raise ValueError(f"{name} in {file} is not a file")
                mode = 0o644 if name.endswith("public.json") else 0o600
                target = os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
                with source, os.fdopen(target, "wb") as output:
                    shutil.copyfileobj(source, output)
                    os.fsync(output.fileno())
    except KeyError as error:
        raise ValueError(f"{file} is not a backup of Latchkey, or not all of one: {error.args[0]}") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{file} cannot be read as a backup: {error}") from error


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Make a folder of our own on the same disk, so that what is in it can be moved into place at once."""
    with tempfile.TemporaryDirectory(prefix=".latchkey-", dir=path.absolute().parent) as folder:
        yield Path(folder)
