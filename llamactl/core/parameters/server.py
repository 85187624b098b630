"""What is a server's rather than a model's: its interface, its templates, its caches, its log."""

from llamactl.core.parameters.parameter import (
    choice,
    file,
    integer,
    json_object,
    path,
    several,
    share,
    switch,
    table,
    text,
    threads,
    tokens,
)

_LISTENS = "llamactl decides where llama-server listens; its own address is http.host and http.port"
_KEYS = "llamactl checks keys itself: llamactl keys create NAME"
_TLS = "llamactl speaks TLS itself: http.tls_cert and http.tls_key"
_FILES = "llamactl serves no files: put a web server in front of it"
_PREFIX = "llamactl must find llama-server's endpoints; put a prefix before llamactl instead"
_ROUTER = "llamactl does what llama-server's router would: models.directories, residency.max_models"
_VERBOSE = "log_verbose prints prompts too"
_TOOLS = "not in places you do not trust"

SERVER = table(
    "server",
    text("host", "--host", "the address to listen at", never=_LISTENS),
    integer("port", "--port", "the port to listen at", least=0, most=65535, never=_LISTENS),
    text("api_prefix", "--api-prefix", "a path before all endpoints", never=_PREFIX),
    path("path", "--path", "a directory of files to serve", must_exist="directory", never=_FILES),
    switch("webui", "--ui --webui", "the web page of llama-server", off="--no-ui --no-webui"),
    file(
        "webui_config_file",
        "--ui-config-file --webui-config-file",
        "a file with settings of that page",
        family="ui_config",
    ),
    switch("no_webui", "", "without that page", inverts="webui"),
    switch("embeddings", "--embeddings --embedding", "embeddings alone, for models made for it"),
    switch("reranking", "--reranking --rerank", "the endpoint that ranks documents"),
    several("api_key", "--api-key", "keys that llama-server asks for", environment="LLAMA_API_KEY"),
    file("api_key_file", "--api-key-file", "a file of such keys", never=_KEYS),
    path("ssl_key_file", "--ssl-key-file", "the key for TLS", never=_TLS),
    path("ssl_cert_file", "--ssl-cert-file", "the certificate for TLS", never=_TLS),
    integer("timeout", "--timeout -to", "for reading and writing", least=0, unit="seconds"),
    threads("threads_http", "--threads-http", "threads for requests; -1: llama-server decides"),
    tokens("cache_reuse", "--cache-reuse", "least piece of a cached prompt worth moving; 0: none"),
    switch("metrics_enabled", "--metrics", "measurements for Prometheus; on unless switched off"),
    switch("props_enabled", "--props", "let clients change global properties"),
    switch("slots_enabled", "--slots", "tell what the slots are doing", off="--no-slots"),
    path("slot_save_path", "--slot-save-path", "a directory to save slots in", must_exist="directory"),
    path("media_path", "--media-path", "a directory of files that requests may name", must_exist="directory"),
    path("models_dir", "--models-dir", "the models of the router", must_exist="directory", never=_ROUTER),
    file("models_preset", "--models-preset", "the presets of the router", never=_ROUTER),
    integer("models_max", "--models-max", "how many models the router loads", least=0, unit="models", never=_ROUTER),
    switch(
        "models_autoload", "--models-autoload", "the router loads on demand", off="--no-models-autoload", never=_ROUTER
    ),
    switch("jinja", "--jinja", "read chat templates with Jinja", off="--no-jinja"),
    text(
        "chat_template",
        "--chat-template",
        "the name of a built-in chat template, or a template",
        family="chat_template",
    ),
    file("chat_template_file", "--chat-template-file", "a file with a chat template", family="chat_template"),
    json_object("chat_template_kwargs", "--chat-template-kwargs", "more variables for the template"),
    switch(
        "prefill_assistant",
        "--prefill-assistant",
        "go on with the assistant's last message",
        off="--no-prefill-assistant",
    ),
    integer("ctx_checkpoints", "--ctx-checkpoints --swa-checkpoints -ctxcp", "checkpoints per slot", least=0),
    switch("verbose_prompt", "--verbose-prompt", "print the prompt", gone=_VERBOSE),
    switch("warmup", "--warmup", "run once before the first request", off="--no-warmup"),
    switch("spm_infill", "--spm-infill", "infill with the suffix first"),
    switch("log_disable", "--log-disable", "log nothing"),
    path("log_file", "--log-file", "log into this file too"),
    choice("log_colors", "--log-colors", "colours in the log", choices="on off auto"),
    switch("log_verbose", "--verbose --log-verbose -v", "log everything", family="verbosity"),
    switch("log_prefix", "--log-prefix", "level and place before each line", off="--no-log-prefix"),
    switch("log_timestamps", "--log-timestamps", "the time before each line", off="--no-log-timestamps"),
    integer(
        "verbosity",
        "--verbosity --log-verbosity -lv",
        "1: errors, 2: warnings, 3: info, 4: trace, 5: debug",
        least=0,
        family="verbosity",
    ),
    path("log_prompts_dir", "--log-prompts-dir", "a directory to write all prompts to", must_exist="directory"),
    tokens("checkpoint_min_step", "--checkpoint-min-step -cms", "least distance of checkpoints; 0: any"),
    switch("cache_prompt", "--cache-prompt", "keep prompts for the next request", off="--no-cache-prompt"),
    switch(
        "cache_idle_slots", "--cache-idle-slots", "put idle slots into the prompt cache", off="--no-cache-idle-slots"
    ),
    share("slot_prompt_similarity", "--slot-prompt-similarity -sps", "how alike a slot's prompt must be; 0: off"),
    integer(
        "sse_ping_interval",
        "--sse-ping-interval",
        "between pings on a silent stream; -1: none",
        least=-1,
        unit="seconds",
    ),
    switch("reuse_port", "--reuse-port", "let several servers share a port"),
    several("cors_origins", "--cors-origins", "origins that browsers may call from"),
    several("cors_methods", "--cors-methods", "methods that browsers may use"),
    several("cors_headers", "--cors-headers", "headers that browsers may send"),
    switch("cors_credentials", "--cors-credentials", "browsers may send credentials", off="--no-cors-credentials"),
    json_object("ui_config", "--ui-config --webui-config", "settings of the web page", family="ui_config"),
    switch(
        "ui_mcp_proxy",
        "--ui-mcp-proxy --webui-mcp-proxy",
        f"a CORS proxy for MCP; {_TOOLS}",
        off="--no-ui-mcp-proxy --no-webui-mcp-proxy",
    ),
    several("tools", "--tools", f"tools for agents, or all; {_TOOLS}"),
    text("tools_runtime", "--tools-runtime", "where tools run", form="docker:IMAGE, podman:IMAGE, ssh:TARGET …"),
    file("mcp_servers_config", "--mcp-servers-config", f"a file of MCP servers; {_TOOLS}", family="mcp_servers"),
    json_object(
        "mcp_servers_json",
        "--mcp-servers-json",
        f"MCP servers; {_TOOLS}",
        environment="LLAMA_ARG_MCP_SERVERS_JSON",
        family="mcp_servers",
    ),
    switch("agent", "--agent -ag", f"the proxy and all tools; {_TOOLS}", off="--no-agent -no-ag"),
)
