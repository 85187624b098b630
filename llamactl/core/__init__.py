"""What llamactl knows and decides; it performs nothing.

No clock, no await, no log, no file: time comes in as an argument, effects go out as data. Values are
frozen `msgspec` structs, so each can cross every boundary as JSON.

The words, one per thing:

model       a name, the GGUF file (or files) behind it and the settings it is started with
instance    one model as something that runs or does not: its `Phase`
engine      the llama-server executable an instance is run with
device      a place with memory of its own: `"host"`, later `"cuda0"` …
need        bytes per device that an instance will take
budget      bytes per device that all instances together may take
resident    an instance that holds memory: from the decision to start it until its process is gone
lease       the right to use a ready instance; while one is out, the instance is not stopped
ticket      the number of one lease, granted or still asked for
waiter      who asked for a lease and has none yet
pin         a lease without a request: the instance is never evicted
drain       to let the leases of an instance run out while granting no new ones
eviction    stopping an idle instance to make room for another
effect      something the scheduler wants done: `Start`, `Stop`, `Grant`, `Refuse`
request     one HTTP request for a model, remembered when it has ended: `ModelRequest`
sample      everything that was measured at one moment
series      numbers of one subject (the host, a GPU, a model) over time
tier        a series thinned out: one range of numbers for each step of time
slot        one of the sequences that a llama-server works on at once (its `--parallel`)
"""
