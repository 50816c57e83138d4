"""What SQLite and PostgreSQL spell differently: the time, and one of many keys."""

from typing import Any

from sqlalchemy import ARRAY, JSON, BigInteger, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

Keys = ARRAY(Text).with_variant(JSON(), "sqlite")
"""The type of a parameter that is a list of keys."""


class now_seconds(FunctionElement[int]):  # noqa: N801 - reads like the SQL function it is
    """Whole seconds since the epoch: when the transaction began, or this statement if it stands alone."""

    type = BigInteger()
    inherit_cache = True


class is_one_of(FunctionElement[Any]):  # noqa: N801 - as above
    """Whether a column holds one of the keys of a parameter of type `Keys`.

    Not IN with a parameter for each: that is another statement to build and to prepare for every number of keys.
    """

    # Not Boolean: SQLAlchemy would say "= 1" after it for SQLite, which then reads the whole table.
    type = NullType()
    inherit_cache = True


@compiles(now_seconds, "postgresql")
def _now_postgresql(_element: now_seconds, _compiler: SQLCompiler, **_options: Any) -> str:
    # transaction_timestamp, not clock_timestamp: all that one transaction writes carries one time.
    return "floor(extract(epoch from transaction_timestamp()))::bigint"


@compiles(now_seconds, "sqlite")
def _now_sqlite(_element: now_seconds, _compiler: SQLCompiler, **_options: Any) -> str:
    return "CAST(strftime('%s', 'now') AS INTEGER)"


@compiles(is_one_of, "postgresql")
def _one_of_postgresql(element: is_one_of, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({keys})"


@compiles(is_one_of, "sqlite")
def _one_of_sqlite(element: is_one_of, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608 - both are the compiler's own text
