"""Eight threads that write numbers and print each one once its transaction was committed; to be killed by a test."""

from __future__ import annotations

import os
import sys
import threading

from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert

from mqtt_bridge.database import Database

THREADS = 8
metadata = MetaData()
fact = Table("fact", metadata, Column("id", Integer, primary_key=True), Column("value", Integer, nullable=False))


def write(database: Database, start: int) -> None:
    number = start

    def put(db: Connection) -> None:
        db.execute(insert(fact).values(id=number, value=0))

    while True:
        database.run(put)
        os.write(1, f"{number}\n".encode())
        number += THREADS


def main() -> None:
    database = Database(sys.argv[1])
    database.create(metadata)
    first = int(sys.argv[2]) * 1_000_000
    os.write(1, b"ready\n")
    threads = [threading.Thread(target=write, args=(database, first + each)) for each in range(THREADS)]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
