"""All we know of llama-server itself: where it is, what it can do, how it is started, asked and outlived.

Owns its command line, its environment, its processes, its log lines and what it answers over its socket.
Must not know who wants a server and why (`supervisor`), what the clients send it (`proxy`), or where
models come from (`catalogue`).

    engine = locate.find(configured)                                   which executable
    able = await capabilities.examine(engine)                          what it can do
    command = arguments.build(engine.path, model, socket, layers, able) its command line and environment
    server = await launch(engine, command.arguments, socket, log, model) the process
    await server.healthy(), await server.wait()                        its life

What an earlier daemon left running is found by `adoption.find`, through the `records` of every process.

Start reading at `process.py`; beneath it `session.py` is the process as the kernel sees it. Facts about
llama-server are measured on build b10434 (CPU) unless a docstring says otherwise.
"""
