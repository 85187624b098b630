"""What is wrong with an installation, why, and what to do about it; with a daemon or without one.

A check is a generator of findings about a `Case`: what it has found counts even where it takes too long for the rest.
Checks look and change nothing; what may be mended without asking comes as data in a finding, for `repairs`.
Start with `examine`.
"""
