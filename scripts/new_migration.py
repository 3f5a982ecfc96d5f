"""Write the next migration from what differs between the tables and the migrations so far.

    python scripts/new_migration.py "Volunteers keep a photo"

Look at what it wrote: a new table of an authority's rows wants `safeguards.apart` and `safeguards.grant`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

MIGRATIONS = Path(__file__).parents[1] / "service" / "database" / "migrations"

config = Config()
config.set_main_option("script_location", str(MIGRATIONS))
number = 1 + len(list(ScriptDirectory.from_config(config).walk_revisions()))
with TemporaryDirectory() as folder:
    engine = create_engine(f"sqlite:///{folder}/kith.db")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        command.revision(config, sys.argv[1], autogenerate=True, rev_id=f"{number:04}")
    engine.dispose()
