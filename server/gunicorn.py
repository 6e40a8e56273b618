"""gunicorn's settings: gevent workers serve HTTP and sockets. `gunicorn -c server/gunicorn.py`."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from typing import Any  # noqa: E402

from gpu_worker.contract import SettingsError  # noqa: E402
from server.config import Settings  # noqa: E402

try:
    _settings = Settings.from_env()
except SettingsError as error:
    # Checked in the master, too: otherwise it would restart failing workers for ever.
    sys.stderr.write("\n".join(error.lines) + "\n")
    sys.exit(2)

bind = [f"{_settings.host}:{_settings.port}"]
if _settings.internal_port:
    bind.append(f"{_settings.host}:{_settings.internal_port}")
workers = _settings.web_workers
worker_class = "gevent"
worker_connections = _settings.max_sockets + 1000  # live sockets must leave room for HTTP
timeout = 30
graceful_timeout = 5
keepalive = 20
# gunicorn 27 writes a control socket under $HOME, which a read-only container does not have.
control_socket_disable = True
# Request lines hold keys; our own log line names the route instead.
accesslog = None
errorlog = "-"
forwarded_allow_ips = "127.0.0.1"
limit_request_line = 4094
limit_request_field_size = 8190


def post_worker_init(worker: Any) -> None:
    """Lets the live feed notice that its worker ends: it then closes all sockets with 1012, and
    clients reconnect to another worker."""
    worker.wsgi.extensions["proteus_live"].watch(lambda: not worker.alive)
