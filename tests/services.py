"""The real services that tests run against: Redis, PostgreSQL and two object stores.

Each is a context manager that starts a process on a free loopback port and ends it; a killed
pytest leaves none behind. Knows nothing of Proteus's own code beyond how to spawn a child.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import botocore.config
import botocore.exceptions
import psycopg
import redis

from local.children import Child, free_port, spawn, stop, wait_until
from local.parts import redis_program

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOST = "127.0.0.1"
REGION = "us-east-1"


class MissingProgramError(Exception):
    """A program that a service needs is not on this machine."""

    def __init__(self, program: str, package: str):
        super().__init__(f"{program} is missing: install the Debian package {package}")
        self.program, self.package = program, package


class ServiceFailedError(Exception):
    """A service did not come up; its last log lines say why."""

    def __init__(self, name: str, log: Path):
        lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
        super().__init__("\n".join([f"{name} did not come up:", *lines]))


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where an object store is and how to sign for it."""

    endpoint_url: str
    bucket: str
    access_key_id: str
    secret_access_key: str
    region: str = REGION

    def env(self) -> dict[str, str]:
        """These settings as the environment variables of Proteus's processes."""
        return {
            "S3_ENDPOINT_URL": self.endpoint_url,
            "S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def client(self) -> S3Client:
        """A client shared by all buckets of a store: making one takes longer than most tests."""
        return _client(replace(self, bucket="any"))


@cache
def _client(s3: S3Settings) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=s3.secret_access_key,
        region_name=s3.region,
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def _program(name: str, package: str, *beside: Path) -> str:
    """Finds a program on the PATH or in one of the folders `beside` it."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, beside)])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingProgramError(name, package)
    return found


def chromium_program() -> str:
    """The machine's Chromium, else the one that Playwright has fetched.

    Raises:
        MissingProgramError: neither is there.
    """
    installed = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    fetched = (Path.home() / ".cache" / "ms-playwright").glob("chromium-*/chrome-linux*/chrome")
    for program in [*installed, *map(str, fetched)]:
        # Ubuntu's package is a stub that only asks for snap.
        if subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0:
            return program
    raise MissingProgramError("chromium", "chromium")


@contextmanager
def _running(child: Child, with_signal: int = signal.SIGTERM) -> Iterator[Child]:
    try:
        yield child
    finally:
        stop(child, with_signal=with_signal)


def _fresh_s3(port: int) -> S3Settings:
    return S3Settings(
        endpoint_url=f"http://{HOST}:{port}",
        bucket="proteus",
        access_key_id="AKIA" + secrets.token_hex(8).upper(),
        secret_access_key=secrets.token_urlsafe(30),
    )


def _answers_buckets(client: S3Client) -> bool:
    with suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        client.list_buckets()
        return True
    return False


# --- Redis ---------------------------------------------------------------------------------------


def _redis_answers(url: str) -> bool:
    with suppress(redis.RedisError), redis.Redis.from_url(url) as client:
        return bool(client.ping())
    return False


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Yields the URL of a Redis that keeps nothing on disk."""
    port = port or free_port()
    url, log = f"redis://{HOST}:{port}/0", folder / "redis.log"
    argv = [redis_program(), "--port", str(port), "--bind", HOST]
    argv += ["--save", "", "--dir", str(folder)]
    child = spawn(argv, log=log)
    with _running(child):
        if not wait_until(lambda: _redis_answers(url), within_s=60, child=child):
            raise ServiceFailedError("redis-server", log)
        yield url


# --- the local store -----------------------------------------------------------------------------


@contextmanager
def rclone_store(folder: Path, allow_origin: str = "*") -> Iterator[S3Settings]:
    """Yields a store as `make demo` has it: `rclone serve s3`, its bucket made."""
    s3, log = _fresh_s3(free_port()), folder / "rclone.log"
    data = folder / "objects"
    (data / s3.bucket).mkdir(parents=True)
    argv = [shutil.which("rclone") or _venv_program("rclone"), "serve", "s3", str(data)]
    argv += ["--addr", s3.endpoint_url.removeprefix("http://"), "--allow-origin", allow_origin]
    argv += ["--auth-key", f"{s3.access_key_id},{s3.secret_access_key}"]
    argv += ["--config", os.devnull]
    child = spawn(argv, log=log)
    with _running(child):
        client = s3.client()
        if not wait_until(lambda: _answers_buckets(client), within_s=60, child=child):
            raise ServiceFailedError("rclone serve s3", log)
        yield s3


def _venv_program(name: str) -> str:

    return str(Path(sys.executable).parent / name)


# --- Ceph ----------------------------------------------------------------------------------------

_CEPH_CONF = """\
[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon_port}/0
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = {folder}/keyring
run_dir = {folder}
admin_socket =
pid_file =
log_file = {folder}/$name.log
log_to_stderr = false
err_to_stderr = true
mon_cluster_log_file = {folder}/cluster.log
mon_data = {folder}/mon
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 0
mon_data_avail_warn = 0
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_objectstore = memstore
osd_data = {folder}/osd
osd_class_load_list = *
osd_class_default_list = *
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
rgw_frontends = beast endpoint=127.0.0.1:{rgw_port}
ms_mon_client_mode = crc
rgw_data = {folder}
rgw_run_sync_thread = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
[osd]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
"""


def _ceph_programs() -> None:
    _program("ceph-mon", "ceph-mon")
    _program("ceph-osd", "ceph-osd")
    _program("radosgw", "radosgw")


def _quiet(argv: list[str], log: Path) -> None:
    with log.open("ab") as output:
        done = subprocess.run(argv, stdout=output, stderr=output, timeout=60, check=False)
    if done.returncode != 0:
        raise ServiceFailedError(argv[0], log)


def _write_ceph_conf(folder: Path, rgw_port: int) -> list[str]:
    """Writes conf and monitor map; returns the arguments that point a Ceph program to them."""
    conf, fsid, mon_port = folder / "ceph.conf", str(uuid.uuid4()), free_port()
    conf.write_text(
        _CEPH_CONF.format(fsid=fsid, folder=folder, mon_port=mon_port, rgw_port=rgw_port)
    )
    (folder / "osd").mkdir()
    argv = ["monmaptool", "--create", "--fsid", fsid, "--set-min-mon-release", "pacific"]
    argv += ["--addv", "a", f"[v2:{HOST}:{mon_port}/0]", str(folder / "monmap")]
    _quiet(argv, folder / "setup.log")
    return ["-c", str(conf)]


@contextmanager
def _ceph_cluster(folder: Path, conf: list[str]) -> Iterator[None]:
    """One monitor and one OSD that keeps everything in memory."""
    setup, osd_id = folder / "setup.log", str(uuid.uuid4())
    _quiet(["ceph-mon", *conf, "--mkfs", "-i", "a", "--monmap", str(folder / "monmap")], setup)
    with _running(spawn(["ceph-mon", *conf, "-i", "a", "-f"], log=folder / "mon.out"), 9):
        _quiet(["ceph", *conf, "--connect-timeout", "20", "osd", "new", osd_id], setup)
        _quiet(["ceph-osd", *conf, "-i", "0", "--mkfs", "--osd-uuid", osd_id], setup)
        with _running(spawn(["ceph-osd", *conf, "-i", "0", "-f"], log=folder / "osd.out"), 9):
            yield


@contextmanager
def radosgw(folder: Path) -> Iterator[S3Settings]:
    """Yields the S3 gateway of an in-memory Ceph, which checks presigned requests strictly."""
    _ceph_programs()
    port = free_port()
    s3, conf, log = _fresh_s3(port), _write_ceph_conf(folder, port), folder / "rgw.out"
    with _ceph_cluster(folder, conf):
        argv = ["radosgw-admin", *conf, "user", "create", "--uid=proteus", "--display-name=Proteus"]
        argv += [f"--access-key={s3.access_key_id}", f"--secret-key={s3.secret_access_key}"]
        _quiet(argv, folder / "setup.log")
        child = spawn(["radosgw", *conf, "-n", "client.admin", "-f"], log=log)
        with _running(child, signal.SIGKILL):
            client = s3.client()
            if not wait_until(lambda: _answers_buckets(client), within_s=60, child=child):
                raise ServiceFailedError("radosgw", log)
            client.create_bucket(Bucket=s3.bucket)
            yield s3


# --- PostgreSQL ----------------------------------------------------------------------------------


def _postgres_program(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return _program(name, "postgresql", *folders)


def _postgres_answers(dsn: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, connect_timeout=2):
        return True
    return False


@contextmanager
def _postgres_folder(user: str | None) -> Iterator[Path]:
    """A folder that `user` can reach, as pytest's private ones cannot be."""
    with tempfile.TemporaryDirectory(prefix="proteus-postgres-") as name:
        if user:
            shutil.chown(name, user, user)
        yield Path(name)


def _initdb(data: Path, user: str | None, log: Path) -> None:
    argv = [_postgres_program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    argv += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    if spawn(argv, log=log, user=user, cwd=data).wait(60) != 0:
        raise ServiceFailedError("initdb", log)


def _postgres_argv(data: Path, port: int) -> list[str]:
    settings = {"listen_addresses": HOST, "unix_socket_directories": "", "fsync": "off"}
    settings |= {"synchronous_commit": "off", "full_page_writes": "off", "max_connections": "120"}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [_postgres_program("postgres"), "-D", str(data), "-p", str(port), *flags]


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Yields `postgresql://…:port`, to which a database name is added. It syncs nothing."""
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    log, port = folder / "postgres.log", free_port()
    url = f"postgresql://postgres@{HOST}:{port}"
    _postgres_program("postgres")
    with _postgres_folder(user) as data:
        _initdb(data, user, log)
        argv = _postgres_argv(data, port)
        # Killed outright it would leave its shared memory; SIGQUIT ends it at once and cleanly.
        child = spawn(argv, log=log, user=user, cwd=data, death_signal=signal.SIGQUIT)
        with _running(child, signal.SIGINT):
            up = partial(_postgres_answers, f"{url}/postgres")
            if not wait_until(up, within_s=60, child=child):
                raise ServiceFailedError("postgres", log)
            yield url
