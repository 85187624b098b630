"""The README's blocks, taken out, run and compared with what the README says they write.

`blocks` finds them, `shell` runs commands as somebody would type them one after the other, `loose` compares.
"""
