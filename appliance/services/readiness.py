"""Can this device sell? Checked from the rows, each check with a word of its own."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from appliance.store import device, engine
from mqtt_bridge.database import Database

OK = "ok"


def readiness(database: Database) -> dict[str, str]:
    """Return check by name: ``ok``, or what is wrong. A broker that is away is no reason: devices sell without it."""
    checks = dict.fromkeys(("database", "schema", "catalogue"), "not checked")
    try:
        with database.read() as db:
            checks["database"] = OK
            checks["schema"] = engine.unfit(db) or OK
            if checks["schema"] == OK:
                row = device.find(db)
                checks["catalogue"] = OK if row is not None and row.catalogue_version else "none has arrived yet"
    except (SQLAlchemyError, OSError) as error:
        checks["database"] = f"cannot be read ({type(error).__name__})"
    return checks
