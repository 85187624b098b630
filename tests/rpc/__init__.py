"""The control contract: without a socket, then both ends on a real one. `far` is the other end."""
