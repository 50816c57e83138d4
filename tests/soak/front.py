"""An nginx in front of the gateways, as operators have one: whichever gateway is there answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.play.ports import free_port
from tests.services.proxy import find_nginx

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream gateways {{ {servers} keepalive 16; }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://gateways;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_connect_timeout 2s;
      # A gateway that stops closes connections that rest, perhaps just when a call is on its way there: every call may be
      # made twice, so it is made again.
      proxy_next_upstream error timeout non_idempotent;
    }}
  }}
}}
"""


@contextlib.asynccontextmanager
async def nginx_before(gateways: Sequence[str], folder: Path) -> AsyncIterator[str]:
    """Run nginx in front of gateways; gives its address, `http://HOST:PORT`."""
    address = f"127.0.0.1:{free_port()}"
    servers = " ".join(f"server {urlsplit(gateway).netloc} max_fails=0;" for gateway in gateways)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, servers=servers, address=address))
    process = await asyncio.create_subprocess_exec(
        str(find_nginx()), "-c", str(config), "-e", str(folder / "nginx.log")
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()
