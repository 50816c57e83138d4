"""What a test does with a RabbitMQ: takes a virtual host of its own; stops or kills a broker of its own."""

import http.client
import json
import os
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.services.system import ServiceFailed, ServiceMissing, identity


class RabbitServer:
    """A running RabbitMQ that hands out virtual hosts."""

    def __init__(self, facts: Mapping[str, Any], control: Callable[[str], object] | None = None) -> None:
        #: The default virtual host, `amqp://...`.
        self.url: str = facts["url"]
        #: What the broker keeps on disk and where it logs, when the broker is ours.
        self.data = Path(facts["data"]) if "data" in facts else None
        self.logs = Path(facts["logs"]) if "logs" in facts else None
        self._facts = facts
        self._control = control

    def add_vhost(self) -> str:
        """Make a virtual host with nothing in it and return its URL."""
        name = f"latchkey-test-{secrets.token_hex(6)}"
        self._manage("PUT", name)
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def delete_vhost(self, url: str) -> None:
        """Delete a virtual host with its queues; whoever is connected to it is cut off."""
        self._manage("DELETE", urlsplit(url).path[1:])

    def check(self) -> None:
        """Find out whether virtual hosts can be made here."""
        try:
            self.delete_vhost(self.add_vhost())
        except (OSError, ServiceFailed) as failure:
            raise ServiceMissing(
                f"needs the management plugin of the RabbitMQ at TEST_BROKER_URL ({failure});"
                " TEST_BROKER_MANAGEMENT_URL says where it is"
            ) from None

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run RabbitMQ's command-line tool on this broker and return what it prints; takes about 0.4 seconds."""
        assert "rabbitmqctl" in self._facts, "this broker is not ours; ask for the fixture own_rabbit"
        done = subprocess.run(
            [*self._facts["rabbitmqctl"], "--quiet", *arguments],
            check=False,
            cwd="/",
            env={"PATH": os.environ["PATH"], **self._facts["environment"]},
            capture_output=True,
            text=True,
            timeout=240,
            **identity(self._facts["user"]),
        )
        if done.returncode != 0:
            raise ServiceFailed(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start it again after `stop` or `kill`; only for a broker of the test's own."""
        self._order("start")

    def stop(self) -> None:
        """Shut it down in good order, which takes about six seconds."""
        self._order("stop")

    def kill(self) -> None:
        """End it as a crash does.

        RabbitMQ 3.10 on one node does not elect a leader again for a quorum queue that was made in the last
        moment (0.1 seconds fails, 1 second is fine): such a queue is there and never answers.
        """
        self._order("kill")

    def _order(self, act: str) -> None:
        assert self._control is not None, "this broker is shared; ask for the fixture own_rabbit"
        self._control(act)

    @property
    def management(self) -> str:
        """Return where its management plugin is, without user and password."""
        parts = urlsplit(self._facts["management"])
        return f"{parts.scheme}://{parts.hostname}:{parts.port}"

    def set_policy(self, url: str, name: str, *, pattern: str, definition: Mapping[str, object]) -> None:
        """Set a policy for the queues of a virtual host; it goes with the virtual host."""
        vhost = quote(urlsplit(url).path[1:], safe="")
        policy = {"pattern": pattern, "definition": definition, "apply-to": "queues", "priority": 0}
        self._send("PUT", f"/api/policies/{vhost}/{name}", json.dumps(policy))

    def import_definitions(self, definitions: str) -> None:
        """Give the broker users, queues and all that, as its management interface takes them."""
        self._send("POST", "/api/definitions", definitions)

    def _manage(self, method: str, vhost: str) -> None:
        """Create or delete a virtual host over HTTP: a few milliseconds, where the command-line tool takes a second."""
        self._send(method, f"/api/vhosts/{quote(vhost, safe='')}")

    def _send(self, method: str, path: str, body: str | None = None) -> None:
        parts = urlsplit(self._facts["management"])
        credentials = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
            connection.request(method, path, body=body, headers=headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status not in {http.HTTPStatus.CREATED, http.HTTPStatus.NO_CONTENT}:
            raise ServiceFailed(f"{method} {path} was answered with {status}")
