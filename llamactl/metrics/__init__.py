"""Measuring: the machine (`host`), its GPUs (`gpus`: NVIDIA's by `gpu`, AMD's by `amd`), our llama-servers (`servers`).

Owns how a number is had, and when it is asked for. What it measures are the values of `core.sample`; they go into the
store, then to the hub. It must not know who runs llama-servers, nor who looks at what was measured.

Start reading at `sampler`.
"""
