"""Which failures mean that the database is not there for us now, and which are ours."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.storage.base import StoreUnavailable
from shared.storage.failures import store_failures


class DriverError(Exception):
    """What asyncpg's errors look like behind SQLAlchemy."""

    def __init__(self, state: str | None = None) -> None:
        super().__init__("the driver's words")
        self.sqlstate = state


def _postgresql(state: str | None, *, lost: bool = False, statement: str | None = "SELECT 1") -> DBAPIError:
    return DBAPIError(statement, {}, DriverError(state), connection_invalidated=lost)


def _sqlite(code: int) -> DBAPIError:
    error = sqlite3.OperationalError("the driver's words")
    error.sqlite_errorcode = code
    return OperationalError("SELECT 1", {}, error)


@pytest.mark.parametrize(
    "failure",
    [
        *(
            pytest.param(_postgresql(state), id=state)
            for state in (
                "08006",
                "25006",
                "25P03",
                "40001",
                "40P01",
                "53100",
                "53300",
                "55P03",
                "57014",
                "57P01",
                "57P02",
                "57P03",
                "58030",
            )
        ),
        pytest.param(_postgresql(None, lost=True), id="connection lost"),
        pytest.param(_postgresql("28P01", statement=None), id="no statement: could not connect"),
        pytest.param(_sqlite(sqlite3.SQLITE_BUSY), id="busy"),
        pytest.param(_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), id="busy, in detail"),
        pytest.param(_sqlite(sqlite3.SQLITE_LOCKED), id="locked"),
        pytest.param(_sqlite(sqlite3.SQLITE_FULL), id="disk full"),
        pytest.param(_sqlite(sqlite3.SQLITE_IOERR_FSYNC), id="disk broken"),
        pytest.param(PoolTimeoutError(), id="pool"),
        pytest.param(TimeoutError(), id="time-out"),
        pytest.param(ConnectionRefusedError(), id="refused"),
        pytest.param(OSError(), id="network"),
    ],
)
def test_the_database_is_not_there(failure: Exception) -> None:
    """What passes by itself, or by an operator's hand, makes the store unavailable, and says so with the cause."""
    with pytest.raises(StoreUnavailable, match=r"does not answer: .") as unavailable, store_failures():
        raise failure

    assert failure is unavailable.value.__cause__


def test_a_right_is_missing() -> None:
    """Rights come by an operator's hand, too: whoever waits goes on then, and a command says whose rights it needs."""
    with (
        pytest.raises(StoreUnavailable, match=r"the driver's words.*roles\.sql.*docs/deployment\.md"),
        store_failures(),
    ):
        raise _postgresql("42501")


@pytest.mark.parametrize(
    "failure",
    [
        *(
            pytest.param(_postgresql(state), id=state)
            for state in ("22001", "23502", "23503", "23505", "25P02", "42601", "42P01")
        ),
        pytest.param(_postgresql(None), id="no state"),
        pytest.param(_sqlite(sqlite3.SQLITE_ERROR), id="sql"),
        pytest.param(_sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE), id="constraint"),
        pytest.param(InvalidRequestError("misuse"), id="misuse"),
        pytest.param(SQLAlchemyError("unknown"), id="unknown"),
        pytest.param(ValueError("ours"), id="ours"),
        pytest.param(KeyError("ours"), id="ours too"),
    ],
)
def test_the_mistake_is_ours(failure: Exception) -> None:
    """A wrong statement or a broken rule stays what it is, for somebody to see."""
    with pytest.raises(type(failure)) as raised, store_failures():
        raise failure

    assert failure is raised.value
