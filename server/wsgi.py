"""The WSGI entry point for gunicorn. Wrong settings: prints a line for each, exits with code 2."""

from __future__ import annotations

import sys

from gpu_worker.contract import SettingsError
from server.app import create_app
from server.config import Settings
from server.infra import log

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.stderr.write("\n".join(error.lines) + "\n")
    sys.exit(2)

log.configure(_settings.log)
app = create_app(_settings)
