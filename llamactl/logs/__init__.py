"""Records of what happened: the daemon's own, and what llama-servers write.

`records` takes the daemon's own and brings them to their destinations: `console`, `daily` files, the hub. Nobody who
logs waits for any of them. llama-servers write to files themselves, one for each run, so that not a line is lost
when the daemon dies: `runs` knows those files, and how a piece of one is put aside while it is being written to;
`follower` tells of what is new in them. `reading` finds lines in all of it, with or without a daemon.

It must not know what a line means, but for `core.lines`. Start reading at `records`.
"""
