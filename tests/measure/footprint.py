"""How many bytes does a linked household keep in PostgreSQL? As many households as asked for, with the rows that stay for years.

    python -m tests.measure.footprint [--households 1000000]

tests/e2e/test_footprint.py shows which rows those are. Sizes are of tables with all their indexes.
"""

import argparse
import asyncio

import asyncpg

from shared.storage import migrate
from tests.services.keeper import running_keeper
from tests.services.postgres import PostgresServer

PATIENCE_SECONDS = 3600
ROWS = {
    "accounts": "INSERT INTO accounts SELECT md5('account' || n), 'default', 'corp', md5('subject' || n), 'Ann', 'paid', 'active' FROM {all}",
    "grants": (
        "INSERT INTO grants SELECT md5('grant' || n), 'default', md5('account' || n), 'Sonos_' || md5('household' || n), 'active', 1, "
        "8760, 's1', 'd1', 1800000000, 1800003600, 8759, 1800000000, 1800000000, 8761 FROM {all}"
    ),
    "grant_origins": (
        "INSERT INTO grant_origins SELECT md5('grant' || n), 'default', 'iPhone17,5', 'Version 26.2 (Build 23C55)', 'ICRU_iPhone17,5', "
        "'2001:db8:' || (n % 65536) || '::/48', md5('link' || n) FROM {all}"
    ),
    "audit_events": (
        "INSERT INTO audit_events (at, kind, service, link_id, account_id, grant_id, household_id, detail, content_digest) "
        "SELECT 1800000000, 'link.linked', 'default', md5('link' || n), md5('account' || n), md5('grant' || n), "
        "'Sonos_' || md5('household' || n), '{{\"provider\": \"corp\"}}', md5('a' || n) || md5('b' || n) FROM {all}, generate_series(1, 3)"
    ),
}
"""Table -> what puts in the rows of all households."""


async def measure(url: str, households: int) -> dict[str, tuple[int, int]]:
    """Return, for each table, its rows and bytes."""
    await asyncio.to_thread(migrate.upgrade, url)
    database = await asyncpg.connect(url.replace("+asyncpg", ""), command_timeout=PATIENCE_SECONDS)
    for statement in ROWS.values():
        await database.execute(statement.format(all=f"generate_series(1, {households}) n"))
    sizes = {
        table: (
            await database.fetchval(f"SELECT count(*) FROM {table}"),
            await database.fetchval("SELECT pg_total_relation_size($1::text::regclass)", table),
        )
        for table in ROWS
    }
    await database.close()
    return sizes


def main(households: int) -> None:
    """Measure, and print."""
    with running_keeper() as keeper:
        server = PostgresServer(keeper.open("postgres", "measured"))
        sizes = asyncio.run(measure(server.empty_database(), households))
        keeper.order("close", "measured")
    print("| table | rows of a household | bytes of a household |\n|---|---|---|")
    for table, (rows, size) in sizes.items():
        print(f"| `{table}` | {rows / households:.0f} | {size / households:.0f} |")
    print(
        f"| all | {sum(rows for rows, _ in sizes.values()) / households:.0f} | "
        f"{sum(size for _, size in sizes.values()) / households:.0f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--households", type=int, default=1_000_000, help="linked households")
    main(parser.parse_args().households)
