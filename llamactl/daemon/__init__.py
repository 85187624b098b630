"""The composition root: wires every part to the others and keeps them running.

`main` is its life, `listening` opens its sockets, `wiring` draws the picture of its parts, `services` starts and
stops them in order, `control` says what each call does, `launch` turns a model into a running llama-server, `adopt`
takes over those of an earlier daemon, `reload` takes over another configuration, `reexec` goes on as another version
of itself, `process` is about being a daemon (pid file, detaching), `ports` tells who holds a port. systemd hands over
sockets in `activation`, is told how things are by `reporting` through `notify`.

Start reading at `main`.
"""
