"""Prepared queries give what SQLAlchemy gives, and fail as it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    JSON,
    BindParameter,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from mqtt_bridge.database import Database
from mqtt_bridge.prepared import Prepared, PreparedChange, Query

metadata = MetaData()
thing = Table(
    "thing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("order", Integer),
    Column("good", Boolean),
    Column("body", LargeBinary),
)
ROWS = [
    {
        "id": number,
        "name": f"n{number % 3}",
        "order": number,
        "good": (True, False, None)[number % 3],
        "body": b"x" * number,
    }
    for number in range(9)
]
ID: BindParameter[int] = bindparam("id_")
CASES: list[tuple[Query, dict[str, object]]] = [
    (select(thing).order_by(thing.c.id), {}),
    (select(thing).where(thing.c.id == ID), {"id_": 4}),
    (select(thing).where(thing.c.id == ID), {"id_": 99}),
    (select(thing.c.good, thing.c.name).where(thing.c.good, thing.c.id < ID), {"id_": 8}),
    (select(thing).where(thing.c.name == "n1").limit(2), {}),
    (select(func.count(), func.max(thing.c.order).label("last")).where(thing.c.id > ID), {"id_": 3}),
    (
        select(thing.c.id).where(thing.c.name.in_(bindparam("names", expanding=True)), thing.c.id > ID),
        {"id_": 2, "names": ["n0", "n2"]},
    ),
    (select(thing.c.id).where(thing.c.name.in_(bindparam("names", expanding=True))), {"names": ["n1"]}),
    (select(thing.c.id).where(thing.c.name.in_(bindparam("names", expanding=True))), {"names": []}),
    (select(thing.c.id).where(thing.c.name.in_(("n0", "n1")), thing.c.id != ID), {"id_": 0}),
    (
        union_all(*(select(literal(1)).select_from(thing).where(thing.c.id == ID) for _ in range(2))).limit(1),
        {"id_": 1},
    ),
]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "things.db")
    database.create(metadata)
    with database.write() as connection:
        connection.execute(insert(thing), ROWS)
        yield connection
    database.close()


@pytest.mark.parametrize(("query", "values"), CASES, ids=range(len(CASES)))
def test_rows_are_those_of_sqlalchemy(db: Connection, query: Query, values: dict[str, object]) -> None:
    """Values, their types, names and positions; twice, because the second time the plan is known."""
    prepared = Prepared(query)
    for _ in range(2):
        wanted = db.execute(query, values).all()
        found = prepared.all(db, **values)
        assert [tuple(row) for row in found] == [tuple(row) for row in wanted]
        assert [[type(value) for value in row] for row in found] == [[type(value) for value in row] for row in wanted]
        first = prepared.first(db, **values)
        assert (first is None) == (wanted == [])
        if first is not None and "name" in wanted[0]._fields:
            assert first.name == wanted[0].name
        assert prepared.scalar(db, **values) == (wanted[0][0] if wanted else None)
        assert prepared.scalars(db, **values) == [row[0] for row in wanted]


def test_lists_of_every_length_find_their_own_text(db: Connection) -> None:
    prepared = Prepared(select(thing.c.id).where(thing.c.id.in_(bindparam("ids", expanding=True))).order_by(thing.c.id))
    for ids in ([1], [2, 3], [], [8, 1, 4], [5], [3, 2]):
        assert prepared.scalars(db, ids=ids) == sorted(ids)


def test_an_error_is_sqlalchemys_and_names_no_value(db: Connection) -> None:
    """A table that is gone, as a full disk would: callers know one family of errors."""
    prepared = Prepared(select(thing).where(thing.c.name == bindparam("name_")))
    db.exec_driver_sql("DROP TABLE thing")
    with pytest.raises(OperationalError) as caught:
        prepared.first(db, name_="Zoë's secret")
    assert "secret" not in str(caught.value)


def test_changes_do_what_sqlalchemys_do(db: Connection) -> None:
    """Inserts with and without every column, plain defaults, a value of the statement, updates by name, counted."""
    add = PreparedChange(insert(thing))
    assert add.run(db, id=20, name="new", order=7, good=True, body=b"y") == 1
    assert add.run(db, id=21, name="short") == 1
    found = db.execute(select(thing).where(thing.c.id >= 20).order_by(thing.c.id)).all()
    assert [tuple(row) for row in found] == [(20, "new", 7, True, b"y"), (21, "short", None, None, None)]
    rename = PreparedChange(
        update(thing).where(thing.c.name == bindparam("was")).values(name=bindparam("now"), order=9)
    )
    assert rename.run(db, was="n1", now="m") == 3
    assert rename.run(db, was="nobody", now="m") == 0
    assert db.execute(select(func.count()).where(thing.c.name == "m", thing.c.order == 9)).scalar() == 3
    assert PreparedChange(delete(thing).where(thing.c.id >= ID)).run(db, id_=20) == 2
    counted = Table("counted", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, default=5))
    counted.create(db)
    assert PreparedChange(insert(counted)).run(db, id=1) == 1
    assert db.execute(select(counted.c.n)).scalar() == 5


def test_a_change_that_is_refused_raises_sqlalchemys_error(db: Connection) -> None:
    with pytest.raises(IntegrityError):
        PreparedChange(insert(thing)).run(db, id=1, name="again")


def test_a_default_that_is_computed_must_be_given(db: Connection) -> None:
    odd = Table("odd", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer, default=lambda: 5))
    with pytest.raises(TypeError, match="n has a default"):
        PreparedChange(insert(odd)).run(db, id=1)


def test_a_column_that_needs_more_than_the_driver_gives_is_refused() -> None:
    odd = Table("odd", MetaData(), Column("facts", JSON))
    with pytest.raises(TypeError, match="facts"):
        Prepared(select(odd))
