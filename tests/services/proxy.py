"""Proxies as an operator has them in front: nginx and Caddy, each as a process of its own with a configuration of the test's."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.play.operator import PATIENCE
from tests.services.system import ServiceMissing, find_program

NGINX_FRAME = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""
"""What stands around locations; nothing is written but into the folder."""
CADDY_OPTIONS = """{
	admin off
	default_bind 127.0.0.1
	local_certs
	skip_install_trust
	auto_https disable_redirects
"""
"""What a Caddy needs that shall get its certificates from itself, and leave everything else on this machine alone; the brace stays open."""


def find_nginx() -> Path:
    """Find nginx, or say how to get it."""
    found = find_program("nginx", [Path("/usr/sbin")])
    if found is None:
        raise ServiceMissing("needs nginx: apt-get install nginx-light, or make services")
    return found


@asynccontextmanager
async def running_nginx(nginx: Path, port: int, folder: Path, config: str) -> AsyncIterator[None]:
    """Run nginx with a whole configuration until it is not needed any more."""
    (folder / "nginx.conf").write_text(config)
    command = (str(nginx), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
    async with _running(port, command):
        yield


@asynccontextmanager
async def running_caddy(port: int, folder: Path, config: str, **environment: str) -> AsyncIterator[None]:
    """Run the Caddy that came with the test's packages."""
    (folder / "Caddyfile").write_text(config)
    caddy = Path(sys.executable).parent / "caddy"
    command = (str(caddy), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile")
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    async with _running(port, command, **environment, **homes):
        yield


@asynccontextmanager
async def _running(port: int, command: tuple[str, ...], **environment: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, env={"PATH": os.environ["PATH"], **environment})
    try:
        await _listening(port)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return
