"""Servers somebody else runs, named by TEST_DATABASE_URL and TEST_BROKER_URL."""

import os
import secrets
from pathlib import Path
from typing import Any, Never
from urllib.parse import urlsplit

from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer
from tests.services.system import ServiceFailed


class _NotOurs:
    """The part of a server that tests may use and must not stop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self) -> Never:
        """Refuse."""
        raise ServiceFailed("this server is not ours to start or stop; ask for a server of your own")

    stop = kill = start


class ExternalPostgres(_NotOurs):
    """The PostgreSQL at TEST_DATABASE_URL."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._facts = {
            "url": os.environ["TEST_DATABASE_URL"].replace("postgresql+asyncpg://", "postgresql://"),
            "run": secrets.token_hex(4),
        }

    def open(self) -> dict[str, Any]:
        """Say where the server is."""
        return self._facts

    def close(self) -> None:
        """Drop the databases of this run."""
        PostgresServer(self._facts).drop_everything()


class ExternalRabbit(_NotOurs):
    """The RabbitMQ at TEST_BROKER_URL; its management plugin makes a virtual host for each test."""

    def open(self) -> dict[str, Any]:
        """Say where the server is and where its management listens: TEST_BROKER_MANAGEMENT_URL, or the usual port."""
        url = os.environ["TEST_BROKER_URL"]
        facts = {
            "url": url,
            "management": os.environ.get("TEST_BROKER_MANAGEMENT_URL", _usual_management(url)),
        }
        RabbitServer(facts).check()
        return facts

    def close(self) -> None:
        """Do nothing: each virtual host went with its test."""


def _usual_management(url: str) -> str:
    parts = urlsplit(url)
    return f"http://{parts.username or 'guest'}:{parts.password or 'guest'}@{parts.hostname}:15672"
