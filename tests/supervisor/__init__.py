"""The supervisor in virtual time, with llama-servers that are none.

`fakes` plays the processes, `stage` the clients: start reading there.
"""
