"""The front door, from its pure parts to real sockets.

`wire` reads HTTP a second time, by other means than the door does; `upstreams` are the servers behind the
door, `front` is a door that is open, with its clients; `stage` is one connection in memory, where every
piece that arrives is cut as the test wants it.
"""
