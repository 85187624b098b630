"""The answers we give ourselves, as an aiohttp application behind the door.

It listens on a Unix socket in the private runtime directory, where only the door connects. It asks the
daemon through the same calls as the control channel and must not reach around them.

Start reading at `app`.
"""
