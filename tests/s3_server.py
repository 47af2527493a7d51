"""A server that speaks S3, and what finds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "s3://sounds/home"


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address in an empty bucket; programs started meanwhile find the server by their environment."""
    pytest.importorskip("s3fs", reason="pip install 'activate-kws[cluster]'")
    moto = pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "testing")
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()  # what an earlier server was asked by
    system = fsspec.filesystem("s3")
    if system.exists("sounds"):  # from an earlier server of this process
        system.rm("sounds", recursive=True)
    system.mkdir("sounds")
    try:
        yield BUCKET
    finally:
        server.stop()
