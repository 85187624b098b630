"""How fast, how small: run by hand with `python -m tests.benchmarks`, never by pytest.

    python -m tests.benchmarks                       everything, under eight minutes
    python -m tests.benchmarks requests streams      only these
    python -m tests.benchmarks --only nginx,llamactl requests --rounds 7 --seconds 3

Two C programs are compiled into a temporary directory: `upstream.c`, a llama-server that answers at once, and
`load.c`, which asks and measures. Between them stand the contenders (`contenders.py`), each on the same one core,
while the two programs share the other: nothing (`direct`), nginx with one worker, and the real daemon. All of them run
at once, and one at a time gets work, in rounds A B C, B C A, …: machines drift by a quarter, so a ratio is taken
between neighbours in time, and the median of the ratios is what counts. Believe ratios, not numbers.

`traffic.py` has what goes through the door (requests, streams, hold, bodies), `features.py` what each feature costs
that can be switched off, `swap.py`, `outliving.py`, `idle.py` and `startup.py` the rest of the daemon, `headers.py` the
reading of model files. Needs Linux, gcc, and nginx as the yardstick; what is missing is named and left out.
"""
