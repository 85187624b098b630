"""What the pages of the manual say of each word of the command line, beyond what its commands say of themselves."""

import msgspec


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`title` is what apropos(1) finds; `exits` are those of its own, `see` other words, `examples` what is typed."""

    title: str
    about: str = ""
    exits: dict[int, str] = {}
    see: tuple[str, ...] = ()
    examples: dict[str, str]


_SEVERAL = {10: "Of several models, some were done; what is wrong with the others was said."}

_MODEL = "qwen3-8b-q4_k_m"

THEMES = {
    "To begin": {
        "quickstart": Page(
            title="set up a language model, and get a first answer",
            about="""
                Starts the daemon if none runs, looks for a llama-server, fetches a small model if the catalogue has
                none, loads a model and asks it something.
                What is there already is used as it is, so that it may be called again.
                If it fails, nothing goes on running that did not run before.
                With -H http://… a daemon has to run there, fetches the small model itself, and FILE is one there.
                """,
            see=("chat", "daemon", "models"),
            examples={
                "From nothing to a first answer:": "llamactl quickstart",
                "The same with a model of your own:": "llamactl quickstart --model ~/models/qwen3-8b-q4_k_m.gguf",
            },
        ),
        "chat": Page(
            title="ask a language model, or talk with it",
            about="""
                The answer is shown as it is made.
                The request goes through the HTTP port, as any client's does; a key is taken from LLAMACTL_API_KEY.
                A conversation ends with the end of its input.
                """,
            see=("quickstart", "ps", "requests"),
            examples={
                "One answer:": f"llamactl chat {_MODEL} 'Why is the sky blue?'",
                "From a script, with what another program wrote:": f"git diff | llamactl chat {_MODEL} - --system "
                "'Write a commit message.'",
                "A conversation:": f"llamactl chat {_MODEL}",
            },
        ),
    },
    "Models at work": {
        "ps": Page(
            title="list the language models that run",
            about="""
                Memory is what was measured, or what was reckoned before there was time to measure.
                With -o wide there are pid, requests, and what has changed since the model was started: its settings,
                or the llama-server.
                """,
            see=("start", "status", "top", "why"),
            examples={
                "All models, whether they run or not:": "llamactl ps -a",
                "The names of everything that runs:": "llamactl ps -o name",
                "For other programs:": "llamactl ps --json",
            },
        ),
        "start": Page(
            title="load language models",
            about="""
                A request for a model starts it as well: this does it beforehand.
                Models that are idle are stopped if their memory is needed.
                Who interrupts it does not interrupt the start.
                """,
            exits={8: "It is not ready within --timeout; it goes on loading.", 9: "It does not fit.", **_SEVERAL},
            see=("fit", "ps", "restart", "stop", "wait", "why"),
            examples={
                "Load a model, and return when it is ready:": f"llamactl start {_MODEL}",
                "See what would have to be stopped for it:": f"llamactl start {_MODEL} --dry-run",
                "Load several, and keep them for two hours without a request:": "llamactl start 'qwen3*' --ttl 2h",
            },
        ),
        "stop": Page(
            title="stop language models",
            about="Requests under way get the time that residency.drain allows, unless it is said here.",
            exits=_SEVERAL,
            see=("ps", "restart", "start"),
            examples={
                "Stop a model when its requests have ended, after 30 s at most:": f"llamactl stop {_MODEL} --drain 30s",
                "Stop everything, now:": "llamactl stop --all --force",
            },
        ),
        "restart": Page(
            title="stop language models and load them again",
            about="Settings count from the next start of a model: this is how they are taken over now.",
            exits={9: "It does not fit.", **_SEVERAL},
            see=("models", "start", "stop"),
            examples={
                "Change a setting, and have it count now:": f"llamactl models set {_MODEL} ctx_size=16384\n"
                f"llamactl restart {_MODEL}"
            },
        ),
        "pin": Page(
            title="never evict these language models",
            about="""
                A model that is pinned stays when it is idle, and when others need its memory.
                This is the setting pinned of a model.
                """,
            exits=_SEVERAL,
            see=("start", "unpin"),
            examples={"Keep a model once it is loaded:": f"llamactl pin {_MODEL}"},
        ),
        "unpin": Page(
            title="let language models be evicted again",
            exits=_SEVERAL,
            see=("pin",),
            examples={"Let go of all that are pinned:": "llamactl unpin '*'"},
        ),
        "wait": Page(
            title="wait until language models are in a state",
            about="It starts and stops nothing.",
            exits={
                3: "It has failed, and would come to that state only if it were started again.",
                8: "The state was not reached within --timeout.",
                **_SEVERAL,
            },
            see=("events", "ps", "start"),
            examples={
                "Start a model, do something else, and go on when it is ready:": f"llamactl start {_MODEL} --no-wait\n"
                f"llamactl wait {_MODEL} --timeout 5m",
            },
        ),
        "why": Page(
            title="tell why a language model is as it is",
            about="It tells the last decision about memory with its numbers, how earlier runs ended, and what is next.",
            see=("events", "fit", "logs", "ps", "start"),
            examples={"After a model failed:": f"llamactl why {_MODEL}"},
        ),
        "fit": Page(
            title="reckon whether a language model fits into memory",
            about="""
                Numbers are those that were measured when the model ran; before that llama-fit-params says them, or they
                are reckoned from the file.
                """,
            exits={9: "It cannot fit."},
            see=("devices", "start", "why"),
            examples={
                "What a larger context would take:": f"llamactl fit {_MODEL} --ctx 32768",
                "Take over what is recommended:": f"llamactl fit {_MODEL} --save",
            },
        ),
        "devices": Page(
            title="show memory and GPUs for language models",
            see=("fit", "metrics", "rpc"),
            examples={"What there is, and what of it is free:": "llamactl devices"},
        ),
    },
    "Models and their settings": {
        "models": Page(
            title="catalogue of language models (GGUF) and settings",
            about="""
                Without a command, models are listed.
                Files stay where they are; directories that models.directories names are watched.
                KEY is a setting of llama-server, as its option is called: ctx_size, temperature, gpu_layers.
                Settings are checked against the llama-server that will get them, and count from the next start.
                What a model does not set is taken from its preset, then from the defaults, then from the section
                llama_server of the configuration, and else left to llama-server.
                """,
            exits={
                1: "verify: something is wrong with a model.",
                10: "import: a part could not be taken over, or names files that are not there; rm: some are left.",
            },
            see=("fit", "presets", "restart", "templates"),
            examples={
                "Put the models below a directory into the catalogue:": "llamactl models scan ~/models",
                "Give a model a larger context, and look at the outcome:": f"llamactl models set {_MODEL} "
                f"ctx_size=16384 temperature=0.6\nllamactl models show {_MODEL}",
                "A second name with other parameters, which runs nothing twice:": "llamactl models variants set "
                f"{_MODEL}:precise temperature=0.1 top_p=0.9",
                "Take the catalogue to another machine:": "llamactl models export > models.json\n"
                "llamactl models import models.json",
            },
        ),
        "presets": Page(
            title="bundles of settings for language models",
            about="Without a command, presets are listed. A preset counts for a model where that sets nothing itself.",
            see=("models",),
            examples={
                "Make a preset, and apply it to some models:": "llamactl presets set long-context ctx_size=65536 "
                "cache_type_k=q8_0\nllamactl presets apply long-context 'qwen3*'",
                "Make one of what a model has:": f"llamactl presets save careful --from {_MODEL}",
            },
        ),
        "templates": Page(
            title="chat templates of language models",
            about="Without a command, templates are listed.",
            see=("models",),
            examples={
                "Use a template instead of the one in the model's file:": f"llamactl templates set {_MODEL} "
                "~/templates/qwen3.jinja",
                "Let requests that name no model go to this one:": f"llamactl templates default {_MODEL}",
            },
        ),
    },
    "To watch": {
        "status": Page(
            title="show machine, GPUs and language models once",
            exits={3: "A part of the daemon is not up.", 7: "No daemon runs."},
            see=("daemon", "ps", "top"),
            examples={
                "For people:": "llamactl status",
                "For a check that raises an alarm:": "llamactl status --json > status.json || echo 'not well'",
            },
        ),
        "top": Page(
            title="show machine, GPUs and language models live",
            about="""
                Up and down choose a model, s starts it and x stops it; o is another order, / a filter, p a pause, q the
                end.
                Everything is shown with letters and numbers too where there are no colours.
                """,
            see=("metrics", "requests", "status"),
            examples={"Of another machine:": "llamactl -H http://gpu-box:8134 top"},
        ),
        "logs": Page(
            title="show what llama-server and llamactl wrote",
            about="""
                The files are read, so that it does as well when no daemon runs.
                Lines of several are put together by time.
                """,
            see=("events", "why"),
            examples={
                "Follow a model, across its restarts:": f"llamactl logs -f {_MODEL}",
                "How the run before the last one ended:": f"llamactl logs {_MODEL} --previous -n 20",
                "What the daemon has complained of since yesterday:": "llamactl logs --since yesterday --level warn",
            },
        ),
        "events": Page(
            title="show what happens to language models",
            about="""
                Each event has a number, which is never used again.
                Who remembers the last one and passes it to --since misses nothing.
                TYPE is one of instance, wedged, placement, catalogue, service, config, key, alert and cleared.
                """,
            see=("logs", "requests", "wait"),
            examples={
                "What happens to models from now on, as JSON, a line for each event:": "llamactl events -f "
                "--type instance -o jsonl",
                "What happened since event 1200:": "llamactl events --since 1200",
            },
        ),
        "requests": Page(
            title="show what was asked of language models",
            about="""
                Without a command, requests are listed.
                A request is told by its X-Request-Id: the one that the client gave, or the one in the answer.
                """,
            see=("events", "keys", "top"),
            examples={
                "Those of the last hour that failed with 503:": "llamactl requests ls --since 1h --status 503",
                "Follow those for a model:": f"llamactl requests ls -f --model {_MODEL}",
            },
        ),
        "metrics": Page(
            title="show measures of machine, GPUs, language models",
            see=("devices", "status", "top"),
            examples={
                "The last hour, drawn:": "llamactl metrics history --since 1h --plot",
                "A day as a table for other programs:": "llamactl metrics export --since 1d --step 15m > day.csv",
                "A dashboard for Grafana:": "llamactl metrics dashboard > llamactl.json",
            },
        ),
    },
    "The daemon": {
        "daemon": Page(
            title="start, stop and control the daemon of llamactl",
            about="""
                Models are stopped with their daemon, unless --keep-models is given.
                With -H, restart is a reexec after all models have been stopped; its process and sockets stay.
                With -H http://…, install-unit writes there, as the user that the daemon runs as.
                """,
            exits={3: "status: no daemon runs, or a part of it is not up.", 8: "It took longer than --timeout."},
            see=("config", "status", "version"),
            examples={
                "Start it in the background, and see that it is well:": "llamactl daemon start\nllamactl daemon status",
                "Have it take over a changed configuration:": "llamactl daemon reload",
                "Go on as the version that was just installed, without turning anybody away:": "llamactl daemon reexec",
            },
        ),
        "config": Page(
            title="show and change the configuration of llamactl",
            about="""
                set and edit change the file that path shows, and only if it is valid afterwards.
                A daemon that runs takes it over when it is reloaded.
                KEY is section.name; all of them are in llamactl.toml(5).
                With -H http://… it is the file of the daemon there, which checks it, too, and takes it over at once;
                FILE is one of this machine all the same; where values come from (show --origin) is not told then.
                edit shows a number for each secret, which stays there.
                """,
            exits={2: "validate: the configuration is not valid.", 10: "import: a part could not be taken over."},
            see=("daemon",),
            examples={
                "Keep idle models for half an hour, from now on:": "llamactl config set residency.ttl 30m --now",
                "What holds, and why:": "llamactl config show --origin",
                "Look for models in two directories:": "llamactl config set models.directories ~/models:/srv/models",
            },
        ),
        "keys": Page(
            title="API keys for the HTTP port of llamactl",
            about="""
                Without a command, keys are listed.
                A scope includes those before it: infer asks models, observe sees how they are, control starts, stops
                and changes them, admin has keys and the daemon as well.
                As long as there is no key, whoever can connect from this machine may infer and observe.
                """,
            see=("config", "requests"),
            examples={
                "A key that may ask some models, so often, until then:": "llamactl keys create editor --model 'qwen*' "
                "--rate 60/min --expires 90d",
                "One that may control the daemon from another machine:": "llamactl keys create laptop --scope control",
            },
        ),
        "rpc": Page(
            title="lend this machine to language models elsewhere",
            about="""
                A worker is a ggml-rpc-server, which llama-servers on other machines compute with.
                Its protocol has no authentication and no encryption.
                Without a command, workers are listed.
                """,
            see=("devices", "models"),
            examples={
                "On the machine that lends its GPU, in a network of your own:": "llamactl rpc start 10.0.0.2:50052 "
                "--insecure",
                "On the one that has the model:": f"llamactl models set {_MODEL} rpc=10.0.0.2:50052",
            },
        ),
        "db": Page(
            title="check and back up the database of llamactl",
            exits={1: "check: something is wrong with the database."},
            see=("daemon", "models"),
            examples={"A copy, while the daemon runs:": "llamactl db backup ~/llamactl-backup.db"},
        ),
        "doctor": Page(
            title="look for what is wrong with llamactl here",
            about="""
                It works with a daemon and without one; all looks are taken at once, and none may take long.
                A daemon is compared with who asks: a GPU that you can use and it cannot is found here.
                Each finding has a cause and the command to try next, and a code for scripts: see STABILITY in
                llamactl(1).
                --fix removes what daemons left behind that are gone, ends llama-servers that they left if no daemon
                runs, and closes what others could open; it says what it does.
                """,
            exits={1: "Something is wrong. Warnings alone are no failure."},
            see=("config", "daemon", "db", "devices", "why"),
            examples={
                "After something did not work:": "llamactl doctor",
                "The codes of what is wrong, for scripts:": "llamactl doctor -o name",
                "Where a driver takes its time:": "llamactl doctor --timeout 15s",
            },
        ),
        "api": Page(
            title="ask the daemon of llamactl any of its calls",
            about="""
                METHOD and JSON are those of the control socket and of POST /rpc.
                The answer is shown as it came, without a schema around it; --describe has its schema.
                watch shows the present, then each event, an object a line, until it is interrupted.
                """,
            exits={2: "The parameters are not what the method takes.", 4: "There is no such method, or no such thing."},
            see=("events", "keys"),
            examples={
                "All calls, with what a key must allow for them:": "llamactl api --list",
                "One of them:": f'llamactl api models.show \'{{"name": "{_MODEL}"}}\'',
                "What it takes and answers, as JSON Schema:": "llamactl api models.set --describe",
            },
        ),
        "completion": Page(
            title="print completions of llamactl for a shell",
            about="Names of models, presets and keys are those that the daemon has last written down.",
            see=("version",),
            examples={
                "In bash, from the next shell on:": "llamactl completion bash > "
                "~/.local/share/bash-completion/completions/llamactl",
                "In every fish:": "llamactl completion fish > ~/.config/fish/completions/llamactl.fish",
            },
        ),
        "version": Page(
            title="show the versions of llamactl and of its daemon",
            see=("daemon",),
            examples={"Is the daemon as new as this command?": "llamactl version"},
        ),
    },
}
"""Pages by theme and word."""

PAGES = {word: page for theme in THEMES.values() for word, page in theme.items()}


def related(word: str) -> set[str]:
    """Other words whose pages are referred to, from either side."""
    return {*PAGES[word].see, *(other for other, page in PAGES.items() if word in page.see)}
