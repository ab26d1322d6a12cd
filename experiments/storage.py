"""The Optuna storage that trials and the queue of work are kept in: a journal file, or a database."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from autobalance.common import InputError

JOURNAL = "storage.log"


def open_storage(url: str | None, directory: Path) -> BaseStorage:
    """The storage at ``url``, made where it is missing, or the journal file in ``directory``.

    Raises:
        InputError: the database cannot be reached, or its driver is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None:
        return JournalStorage(JournalFileBackend(os.fspath(directory / JOURNAL)))
    try:
        sqlite = sqlalchemy.make_url(url).get_backend_name() == "sqlite"
        settings: dict[str, Any] = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
        storage = _open_database(url, settings)
        if sqlite:
            _take_turns(storage.engine)
        return storage
    except ImportError as error:
        raise InputError(
            f"--storage {_shown(url)}: the database's driver is missing ({error}); for PostgreSQL: "
            "pip install 'psycopg[binary]', and a URL that begins with postgresql+psycopg://"
        ) from None
    except (SQLAlchemyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--storage {_shown(url)} cannot be opened: {reason}") from None


def _open_database(url: str, settings: dict[str, Any], tries: int = 5) -> RDBStorage:
    """Opens the database; once more where another machine was making the same tables at the same moment."""
    for _ in range(tries - 1):
        try:
            return RDBStorage(url, engine_kwargs=settings)
        except (IntegrityError, ProgrammingError):
            time.sleep(0.5)
    return RDBStorage(url, engine_kwargs=settings)


def _shown(url: str) -> str:
    """The URL without its password."""
    try:
        return sqlalchemy.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url


def _take_turns(engine: sqlalchemy.Engine) -> None:
    """Lets every transaction of SQLite hold the write lock from its beginning.

    By itself Python's driver begins a transaction at the first write, so that two processes could both read that a
    piece of work is free before either takes it.
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def no_implicit_begin(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections from before know nothing of this
