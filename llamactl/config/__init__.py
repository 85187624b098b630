"""Where things lie, and what the configuration file says, as one frozen `Config`.

Owns the names of the directories and files, the sections and keys with their defaults, and the order in
which environment, user file and system file win; changes the file, and reads those of other systems. It must
not know what any setting is used for.

Start reading at `sections` (every key), then `load` (where the values come from) and `directories`. A change
goes through `written` (from text to value), `edit` (into the text) and `replace` (onto the disk); `describe`
tells people of every key, `imports` has the other systems.
`sockets` is the part that the command line needs before anything else. Nothing is imported here: who
only looks for the daemon should not load the parser of a file that he does not read.
"""
