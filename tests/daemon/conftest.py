from tests.supervisor.conftest import anyio_backend

__all__ = ["anyio_backend"]
