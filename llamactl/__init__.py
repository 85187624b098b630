"""llamactl: `systemctl` for local language models.

The **cli** speaks **rpc** to a **daemon**, whose **supervisor** runs **llamaserver**s for models of
the **catalogue**; clients reach them through the **proxy**, watchers through the **web** face; what
is kept is kept in the **store**, what happens is told through the **hub**, what is decided is decided
in **core**.

    cli ──rpc──▶ daemon ──▶ supervisor ──▶ llamaserver (one process per running model)
                               ▲  │
    clients ──▶ proxy ── lease ┘  └─▶ hub ──▶ watchers
                  └──▶ web (REST, WebSocket, /rpc: one more upstream behind the same door)

Start reading at `core/__init__.py` (the words), then `supervisor/supervisor.py` and `proxy/door.py`.
"""

__version__ = "0.1.0"
