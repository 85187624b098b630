"""What has to be known of llama-server's command line to take one apart: which flags have no value, which are ours.

From the `--help` of b10068 to b10434. A flag that is not known here has a value, unless another flag follows it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


SWITCHES = _set("""
    agent backend-sampling cache-idle-slots cache-list cache-prompt check-tensors completion-bash cont-batching
    context-shift cors-credentials cpu-moe cpu-moe-draft direct-io embd-gemma-default embedding embeddings escape
    fim-qwen-1.5b-default fim-qwen-14b-spec fim-qwen-30b-default fim-qwen-3b-default fim-qwen-7b-default
    fim-qwen-7b-spec gpt-oss-120b-default gpt-oss-20b-default help ignore-eos jinja kv-offload kv-unified list-devices
    log-disable log-prefix log-timestamps log-verbose lora-init-without-apply metrics mlock mmap mmproj-auto
    mmproj-offload models-autoload no-agent no-cache-idle-slots no-cache-prompt no-cont-batching no-context-shift
    no-cors-credentials no-direct-io no-escape no-host no-jinja no-kv-offload no-kv-unified no-log-prefix
    no-log-timestamps no-mmap no-mmproj no-mmproj-auto no-mmproj-offload no-models-autoload no-op-offload no-perf
    no-prefill-assistant no-reasoning-preserve no-repack no-skip-chat-parsing no-slots no-spec-draft-backend-sampling
    no-ui no-ui-mcp-proxy no-warmup no-webui no-webui-mcp-proxy offline op-offload perf prefill-assistant props
    reasoning-preserve repack rerank reranking reuse-port skip-chat-parsing slots spec-default
    spec-draft-backend-sampling spec-draft-cpu-moe special spm-infill swa-full tts-use-guide-tokens ui ui-mcp-proxy
    usage verbose version vision-gemma-12b-default vision-gemma-4b-default warmup webui webui-mcp-proxy
    ag bs cb cl cmoe cmoed dio e h kvo kvu ndio nkvo no-ag no-kvu nocb nr sp v
    """)
"""Flags without a value, without their dashes."""

_SHORT = _set("""
    C Cb Cbd Cd Cr Crb Crd a ag b bs c cb cl cmoe cmoed cms cram ctk ctkd ctv ctvd ctxcp dev devd dio dr dt e fa fit
    fitc fitp fitt h hf hfd hff hffv hfr hfrd hfrv hft hfv j jf kvo kvu l lcd lcs lm lv m md mg mm mmu mu mv n ncmoe
    ncmoed ndio ngl ngld nkvo no-ag no-kvu nocb np nr ot otd r rea s sm sp sps t tb tbd td to ts ub v
    """)
"""Those that are written with one dash."""

_OFF = {"cb": "nocb", "dio": "ndio", "kvo": "nkvo"}
"""The opposite of a short switch, where that is not the same with `no-`."""

_ONCE_SWITCHES = _set("fa flash-attn")
"""Those that had no value once, and mean `on` then."""

_FILES = _set("mmproj mm model-draft md spec-draft-model chat-template-file grammar-file json-schema-file lora")
"""Flags whose value is one file; a relative one depends on where llama-server was started."""


class Flag(NamedTuple):
    """`name` without dashes, `value` None for a switch."""

    name: str
    value: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        dashed = f"-{self.name}" if self.name in _SHORT else f"--{self.name}"
        return (dashed,) if self.value is None else (dashed, self.value)


class Roles:
    """Flags by what they mean to us, without dashes."""

    model = _set("m model")
    alias = _set("a alias")
    elsewhere = _set("hf hfr hf-repo hff hf-file mu model-url dr docker-repo")
    """The model is fetched."""
    secret = _set("hft hf-token")
    ours = _set("""
        host port reuse-port api-prefix path api-key api-key-file ssl-key-file ssl-cert-file
        models-dir models-preset models-max models-autoload no-models-autoload
        """)
    """Where it listens, who may ask, and which models there are."""
    all = model | alias | elsewhere | secret | ours


def from_words(words: Iterable[str]) -> Iterator[Flag]:
    """The flags of a command line; words that belong to none are left out, as llama-server has no such."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not re.match(r"--?[A-Za-z]", word):
            continue
        name = _name(word)
        if name not in SWITCHES and rest and not re.match(r"--?[A-Za-z]", rest[0]):
            yield Flag(name, rest.pop(0))
        else:
            yield Flag(name, "on" if name in _ONCE_SWITCHES else None)


def from_setting(key: str, value: str) -> Flag | None:
    """What `key = value` of a preset is on the command line; None: nothing is passed."""
    name = _name(key)
    if name not in SWITCHES:
        return Flag(name, value)
    if value.lower() not in ("off", "disabled", "false", "0"):
        return Flag(name)
    opposite = _OFF.get(name) or (name.removeprefix("no-") if name.startswith("no-") else f"no-{name}")
    return Flag(opposite) if opposite in SWITCHES else None


def with_files_from(flag: Flag, base: Path) -> Flag:
    """A file of a relative name, as it would be found from `base`."""
    if flag.name not in _FILES or not flag.value:
        return flag
    return Flag(flag.name, str(base / Path(flag.value).expanduser()))


def _name(word: str) -> str:
    bare = word.lstrip("-")
    return bare if bare in _SHORT else bare.replace("_", "-")
