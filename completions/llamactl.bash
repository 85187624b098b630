# bash completion for llamactl and llamactld                    -*- shell-script -*-
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

_llamactl_settings=(server_path model_url docker_repo hf_repo hf_repo_draft hf_file hf_token one_shot_preset ctx_size predict batch_size ubatch_size n_parallel cont_batching threads threads_batch cpu_mask cpu_range cpu_strict cpu_mask_batch cpu_range_batch cpu_strict_batch priority priority_batch keep tags ttl pinned temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar grammar_file json_schema json_schema_file ignore_eos escape rope_scaling_type rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast flash_attn logit_bias adaptive_target adaptive_decay backend_sampling reverse_prompt cache_ram cache_type_k cache_type_v load_mode mmap mlock direct_io numa device gpu_layers split_mode tensor_split main_gpu kv_offload repack no_host swa_full override_tensor cpu_moe n_cpu_moe kv_unified pooling context_shift rpc offline override_kv op_offload fit fit_target fit_ctx check_tensors sleep_idle_seconds polling polling_batch reasoning_format reasoning_budget custom_params reasoning reasoning_effort reasoning_budget_message reasoning_preserve skip_chat_parsing special embd_normalize perf lora lora_scaled control_vector control_vector_scaled control_vector_layer_range model_draft threads_draft threads_batch_draft draft_max draft_min draft_p_min cache_type_k_draft cache_type_v_draft cpu_moe_draft n_cpu_moe_draft n_gpu_layers_draft device_draft lora_init_without_apply spec_type spec_default spec_draft_p_split spec_draft_backend_sampling spec_draft_override_tensor spec_draft_cpu_mask spec_draft_cpu_range spec_draft_cpu_strict spec_draft_prio spec_draft_poll spec_draft_cpu_mask_batch spec_draft_cpu_strict_batch spec_draft_prio_batch spec_draft_poll_batch spec_ngram_mod_n_min spec_ngram_mod_n_max spec_ngram_mod_n_match spec_ngram_simple_size_n spec_ngram_simple_size_m spec_ngram_simple_min_hits spec_ngram_map_k_size_n spec_ngram_map_k_size_m spec_ngram_map_k_min_hits spec_ngram_map_k4v_size_n spec_ngram_map_k4v_size_m spec_ngram_map_k4v_min_hits lookup_cache_static lookup_cache_dynamic mmproj mmproj_url mmproj_auto mmproj_offload image_min_tokens image_max_tokens mtmd_batch_max_tokens webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent)
_llamactl_defaults=(webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent)
_llamactl_parameters=(temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar json_schema rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast logit_bias adaptive_target adaptive_decay reverse_prompt)
_llamactl_config=(http.host http.port http.listen http.max_body http.connections http.tls_cert http.tls_key http.cors_origins http.allowed_hosts models.directories models.watch models.include models.exclude models.default models.standby models.preload llama_server.path llama_server.hf_repo_draft llama_server.hf_token llama_server.ctx_size llama_server.predict llama_server.batch_size llama_server.ubatch_size llama_server.n_parallel llama_server.cont_batching llama_server.threads llama_server.threads_batch llama_server.cpu_mask llama_server.cpu_range llama_server.cpu_strict llama_server.cpu_mask_batch llama_server.cpu_range_batch llama_server.cpu_strict_batch llama_server.priority llama_server.priority_batch llama_server.keep llama_server.tags llama_server.temperature llama_server.top_k llama_server.top_p llama_server.min_p llama_server.top_nsigma llama_server.xtc_probability llama_server.xtc_threshold llama_server.typical_p llama_server.repeat_last_n llama_server.repeat_penalty llama_server.presence_penalty llama_server.frequency_penalty llama_server.dry_multiplier llama_server.dry_base llama_server.dry_allowed_length llama_server.dry_penalty_last_n llama_server.dry_sequence_breaker llama_server.dynatemp_range llama_server.dynatemp_exp llama_server.mirostat llama_server.mirostat_lr llama_server.mirostat_ent llama_server.samplers llama_server.sampler_seq llama_server.seed llama_server.grammar llama_server.grammar_file llama_server.json_schema llama_server.json_schema_file llama_server.ignore_eos llama_server.escape llama_server.rope_scaling_type llama_server.rope_scale llama_server.rope_freq_base llama_server.rope_freq_scale llama_server.yarn_orig_ctx llama_server.yarn_ext_factor llama_server.yarn_attn_factor llama_server.yarn_beta_slow llama_server.yarn_beta_fast llama_server.flash_attn llama_server.logit_bias llama_server.adaptive_target llama_server.adaptive_decay llama_server.backend_sampling llama_server.reverse_prompt llama_server.cache_ram llama_server.cache_type_k llama_server.cache_type_v llama_server.load_mode llama_server.mmap llama_server.mlock llama_server.direct_io llama_server.numa llama_server.device llama_server.gpu_layers llama_server.split_mode llama_server.tensor_split llama_server.main_gpu llama_server.kv_offload llama_server.repack llama_server.no_host llama_server.swa_full llama_server.override_tensor llama_server.cpu_moe llama_server.n_cpu_moe llama_server.kv_unified llama_server.pooling llama_server.context_shift llama_server.rpc llama_server.offline llama_server.override_kv llama_server.op_offload llama_server.fit llama_server.fit_target llama_server.fit_ctx llama_server.check_tensors llama_server.sleep_idle_seconds llama_server.polling llama_server.polling_batch llama_server.reasoning_format llama_server.reasoning_budget llama_server.custom_params llama_server.reasoning llama_server.reasoning_effort llama_server.reasoning_budget_message llama_server.reasoning_preserve llama_server.skip_chat_parsing llama_server.special llama_server.embd_normalize llama_server.perf llama_server.lora llama_server.lora_scaled llama_server.control_vector llama_server.control_vector_scaled llama_server.control_vector_layer_range llama_server.model_draft llama_server.threads_draft llama_server.threads_batch_draft llama_server.draft_max llama_server.draft_min llama_server.draft_p_min llama_server.cache_type_k_draft llama_server.cache_type_v_draft llama_server.cpu_moe_draft llama_server.n_cpu_moe_draft llama_server.n_gpu_layers_draft llama_server.device_draft llama_server.lora_init_without_apply llama_server.spec_type llama_server.spec_default llama_server.spec_draft_p_split llama_server.spec_draft_backend_sampling llama_server.spec_draft_override_tensor llama_server.spec_draft_cpu_mask llama_server.spec_draft_cpu_range llama_server.spec_draft_cpu_strict llama_server.spec_draft_prio llama_server.spec_draft_poll llama_server.spec_draft_cpu_mask_batch llama_server.spec_draft_cpu_strict_batch llama_server.spec_draft_prio_batch llama_server.spec_draft_poll_batch llama_server.spec_ngram_mod_n_min llama_server.spec_ngram_mod_n_max llama_server.spec_ngram_mod_n_match llama_server.spec_ngram_simple_size_n llama_server.spec_ngram_simple_size_m llama_server.spec_ngram_simple_min_hits llama_server.spec_ngram_map_k_size_n llama_server.spec_ngram_map_k_size_m llama_server.spec_ngram_map_k_min_hits llama_server.spec_ngram_map_k4v_size_n llama_server.spec_ngram_map_k4v_size_m llama_server.spec_ngram_map_k4v_min_hits llama_server.lookup_cache_static llama_server.lookup_cache_dynamic llama_server.mmproj llama_server.mmproj_url llama_server.mmproj_auto llama_server.mmproj_offload llama_server.image_min_tokens llama_server.image_max_tokens llama_server.mtmd_batch_max_tokens llama_server.webui llama_server.webui_config_file llama_server.embeddings llama_server.reranking llama_server.api_key llama_server.timeout llama_server.threads_http llama_server.cache_reuse llama_server.metrics_enabled llama_server.props_enabled llama_server.slots_enabled llama_server.slot_save_path llama_server.media_path llama_server.jinja llama_server.chat_template llama_server.chat_template_file llama_server.chat_template_kwargs llama_server.prefill_assistant llama_server.ctx_checkpoints llama_server.warmup llama_server.spm_infill llama_server.log_disable llama_server.log_file llama_server.log_colors llama_server.log_verbose llama_server.log_prefix llama_server.log_timestamps llama_server.verbosity llama_server.log_prompts_dir llama_server.checkpoint_min_step llama_server.cache_prompt llama_server.cache_idle_slots llama_server.slot_prompt_similarity llama_server.sse_ping_interval llama_server.reuse_port llama_server.cors_origins llama_server.cors_methods llama_server.cors_headers llama_server.cors_credentials llama_server.ui_config llama_server.ui_mcp_proxy llama_server.tools llama_server.tools_runtime llama_server.mcp_servers_config llama_server.mcp_servers_json llama_server.agent residency.max_models residency.memory residency.devices residency.margin residency.ttl residency.max_wait residency.groups residency.queue_per_model residency.queue_total residency.load_timeout residency.drain restart.first restart.factor restart.longest restart.healthy_after restart.crashes restart.window restart.wedge_after restart.wedged access.anonymous access.rate access.insecure access.jwt_secret access.jwt_public_key access.jwt_issuer access.jwt_audience access.jwt_scopes access.jwt_models access.jwt_leeway requests.keep requests.rows requests.capture requests.capture_size metrics.interval metrics.history metrics.tiers metrics.per_key alerts.cpu alerts.memory alerts.disk alerts.gpu alerts.gpu_temperature alerts.gpu_memory alerts.gpu_power alerts.margin alerts.hold alerts.webhook logging.console_level logging.file_level logging.errors_level logging.max_size logging.max_files logging.max_total logging.file logging.console logging.runs)

_llamactl_values() {
    case $1 in
        server_path|grammar_file|json_schema_file|model_draft|lookup_cache_static|lookup_cache_dynamic|mmproj|webui_config_file|slot_save_path|media_path|chat_template_file|log_file|log_prompts_dir|mcp_servers_config|http.tls_cert|http.tls_key|models.directories|llama_server.path|llama_server.grammar_file|llama_server.json_schema_file|llama_server.model_draft|llama_server.lookup_cache_static|llama_server.lookup_cache_dynamic|llama_server.mmproj|llama_server.webui_config_file|llama_server.slot_save_path|llama_server.media_path|llama_server.chat_template_file|llama_server.log_file|llama_server.log_prompts_dir|llama_server.mcp_servers_config|access.jwt_secret|access.jwt_public_key) files=-f ;;
        one_shot_preset) offers+=(embd-gemma-default fim-qwen-1.5b-default fim-qwen-3b-default fim-qwen-7b-default fim-qwen-7b-spec fim-qwen-14b-spec fim-qwen-30b-default gpt-oss-20b-default gpt-oss-120b-default vision-gemma-4b-default vision-gemma-12b-default) ;;
        cont_batching|cpu_strict|cpu_strict_batch|pinned|ignore_eos|escape|backend_sampling|mmap|mlock|direct_io|kv_offload|repack|no_host|swa_full|cpu_moe|kv_unified|context_shift|offline|op_offload|fit|check_tensors|polling_batch|reasoning_preserve|skip_chat_parsing|special|perf|cpu_moe_draft|lora_init_without_apply|spec_default|spec_draft_backend_sampling|spec_draft_cpu_strict|spec_draft_poll|spec_draft_cpu_strict_batch|spec_draft_poll_batch|mmproj_auto|mmproj_offload|webui|no_webui|embeddings|reranking|metrics_enabled|props_enabled|slots_enabled|jinja|prefill_assistant|warmup|spm_infill|log_disable|log_verbose|log_prefix|log_timestamps|cache_prompt|cache_idle_slots|reuse_port|cors_credentials|ui_mcp_proxy|agent|llama_server.fit) offers+=(on off) ;;
        rope_scaling_type|llama_server.rope_scaling_type) offers+=(none linear yarn) ;;
        flash_attn|reasoning|log_colors|llama_server.flash_attn|llama_server.reasoning|llama_server.log_colors) offers+=(on off auto) ;;
        cache_type_k|cache_type_v|cache_type_k_draft|cache_type_v_draft|llama_server.cache_type_k|llama_server.cache_type_v|llama_server.cache_type_k_draft|llama_server.cache_type_v_draft) offers+=(f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1) ;;
        load_mode|llama_server.load_mode) offers+=(auto none mmap mlock mmap+mlock dio) ;;
        numa|llama_server.numa) offers+=(distribute isolate numactl) ;;
        split_mode|llama_server.split_mode) offers+=(none layer row tensor) ;;
        pooling|llama_server.pooling) offers+=(none mean cls last rank) ;;
        reasoning_format|llama_server.reasoning_format) offers+=(none deepseek deepseek-legacy auto) ;;
        models.watch|llama_server.cont_batching|llama_server.cpu_strict|llama_server.cpu_strict_batch|llama_server.ignore_eos|llama_server.escape|llama_server.backend_sampling|llama_server.mmap|llama_server.mlock|llama_server.direct_io|llama_server.kv_offload|llama_server.repack|llama_server.no_host|llama_server.swa_full|llama_server.cpu_moe|llama_server.kv_unified|llama_server.context_shift|llama_server.offline|llama_server.op_offload|llama_server.check_tensors|llama_server.polling_batch|llama_server.reasoning_preserve|llama_server.skip_chat_parsing|llama_server.special|llama_server.perf|llama_server.cpu_moe_draft|llama_server.lora_init_without_apply|llama_server.spec_default|llama_server.spec_draft_backend_sampling|llama_server.spec_draft_cpu_strict|llama_server.spec_draft_poll|llama_server.spec_draft_cpu_strict_batch|llama_server.spec_draft_poll_batch|llama_server.mmproj_auto|llama_server.mmproj_offload|llama_server.webui|llama_server.embeddings|llama_server.reranking|llama_server.metrics_enabled|llama_server.props_enabled|llama_server.slots_enabled|llama_server.jinja|llama_server.prefill_assistant|llama_server.warmup|llama_server.spm_infill|llama_server.log_disable|llama_server.log_verbose|llama_server.log_prefix|llama_server.log_timestamps|llama_server.cache_prompt|llama_server.cache_idle_slots|llama_server.reuse_port|llama_server.cors_credentials|llama_server.ui_mcp_proxy|llama_server.agent|access.insecure|metrics.per_key|logging.file|logging.console) offers+=(true false) ;;
        models.default|models.standby|models.preload) _llamactl_names model alias ;;
        restart.wedged) offers+=(mark restart) ;;
        access.anonymous) offers+=(auto none infer observe) ;;
        logging.console_level|logging.file_level|logging.errors_level) offers+=(debug info warn error) ;;
    esac
}

# Adds the names of these kinds to $offers.
_llamactl_names() {
    local kinds=" $* " place='' kind='' name=''
    case ${LLAMACTL_HOST-} in
        http://*|https://*) return ;;
        ?*) place=${LLAMACTL_HOST#unix://} && set -- "${place%/*}" ;;
        *)
            if [[ ${XDG_RUNTIME_DIR-} == /* ]]; then
                set -- "$XDG_RUNTIME_DIR/llamactl" /run/llamactl
            else
                for place in "${TMPDIR-}" "${TEMP-}" "${TMP-}" /tmp; do
                    [[ $place == /* && -d $place ]] && break
                done
                set -- "$place/llamactl-$UID" /run/llamactl
                [[ -O $1 ]] || shift
            fi
            ;;
    esac
    # A daemon that runs goes before one that has left its names.
    for place in "$@" "$1"; do
        [[ -S $place/control.sock ]] && break
    done
    [[ -f $place/names && -r $place/names ]] || return
    while IFS=$'\t' read -r kind name; do
        [[ $kinds == *" $kind "* ]] && offers+=("$name")
    done < "$place/names"
}

# What may come where KEY=VALUE is expected, with these keys.
_llamactl_assignment() {
    if [[ $current == *=* ]]; then
        before=${current%%=*}=
        current=${current#*=}
        _llamactl_values "${before%=}"
    else
        offers+=("${@/%/=}")
        compopt -o nospace
    fi
}

_llamactl() {
    local line=${COMP_LINE:0:COMP_POINT} piece='' current='' before='' quote='' cut='' word='' special=$'"\'`$' i
    local place='' skip='' ended='' files='' count=0
    local -a typed=() offers=() options=()
    COMPREPLY=()
    # bash cuts words after = and :, and before @: what has no blank before it belongs to the one before.
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        word=${line#"${line%%[![:blank:]]*}"}
        piece=${COMP_WORDS[i]}
        (( i == COMP_CWORD )) && piece=$word
        if [[ $i != 0 && $word == "$line" ]]; then
            typed[-1]+=$piece
        else
            typed+=("$piece")
        fi
        line=${word#"$piece"}
    done
    current=${typed[-1]}
    unset 'typed[-1]'
    # What stands before the last of these pieces is not to be repeated.
    cut=${current%"$piece"}
    [[ -n $piece && $COMP_WORDBREAKS == *"${piece:0:1}"* && $piece != @* ]] && cut=$current
    case $current in
        [\"\']*) quote=yes current=${current:1} cut='' ;;
        *) current=${current//\\/} cut=${cut//\\/} ;;
    esac

    [[ ${typed[0]##*/} == llamactld ]] && place=/daemon/run
    for word in "${typed[@]:1}"; do
        if [[ -n $skip ]]; then
            skip=''
            continue
        fi
        case $word in
            --) ended=yes; break ;;
            --color|--config|--ctx|--device|--drain|--expires|--for|--format|--from|--gpu|--grep|--host|--key|--level|--lines|--max-tokens|--mem|--metric|--model|--name|--output|--parallel|--priority|--prompt|--rate|--scope|--since|--status|--step|--strip|--svg|--system|--threads|--timeout|--ttl|--type|--until|--wait|-H|-n|-o) skip=yes; continue ;;
            -*) continue ;;
        esac
        case $place/$word in
            /load) place=/start ;;
            /unload) place=/stop ;;
            /models/list) place=/models/ls ;;
            /models/remove) place=/models/rm ;;
            /models/variants/list) place=/models/variants/ls ;;
            /models/variants/remove) place=/models/variants/rm ;;
            /presets/list) place=/presets/ls ;;
            /presets/remove) place=/presets/rm ;;
            /templates/list) place=/templates/ls ;;
            /requests/list) place=/requests/ls ;;
            /keys/list) place=/keys/ls ;;
            /rpc/list) place=/rpc/ls ;;
            /quickstart|/chat|/status|/top|/ps|/start|/stop|/restart|/pin|/unpin|/wait|/why|/logs|/events|/fit|/devices|/completion|/doctor|/api|/version|/models|/models/export|/models/import|/models/ls|/models/add|/models/scan|/models/rm|/models/show|/models/set|/models/unset|/models/rename|/models/clone|/models/alias|/models/verify|/models/command|/models/defaults|/models/defaults/show|/models/defaults/set|/models/defaults/unset|/models/variants|/models/variants/ls|/models/variants/set|/models/variants/unset|/models/variants/rm|/presets|/presets/ls|/presets/show|/presets/save|/presets/set|/presets/unset|/presets/apply|/presets/unapply|/presets/rm|/presets/export|/presets/import|/templates|/templates/ls|/templates/set|/templates/unset|/templates/default|/requests|/requests/ls|/requests/show|/requests/cancel|/keys|/keys/create|/keys/ls|/keys/revoke|/keys/rotate|/rpc|/rpc/start|/rpc/stop|/rpc/ls|/rpc/logs|/config|/config/show|/config/get|/config/set|/config/unset|/config/path|/config/validate|/config/edit|/config/import|/daemon|/daemon/run|/daemon/start|/daemon/stop|/daemon/restart|/daemon/reload|/daemon/log-level|/daemon/reexec|/daemon/install-unit|/daemon/status|/metrics|/metrics/show|/metrics/history|/metrics/export|/metrics/dashboard|/db|/db/check|/db/backup|/db/vacuum) place+=/$word ;;
            *) (( ++count )) ;;
        esac
    done
    word=${typed[-1]}
    if [[ -z $skip$ended && $current == --*=* ]]; then
        skip=yes word=${current%%=*} before=${current%%=*}= current=${current#*=}
    fi
    if [[ -n $skip ]]; then
        case $place' '$word in
            /requests' '--model) _llamactl_names model alias ;;
            /requests/ls' '--model) _llamactl_names model alias ;;
            /keys/create' '--model) _llamactl_names model alias ;;
            /metrics/history' '--model) _llamactl_names model alias ;;
            /metrics/export' '--format) offers=(csv json prom) ;;
            /metrics/export' '--model) _llamactl_names model alias ;;
            *' '-o|*' '--output) offers=(table wide json jsonl name) ;;
            *' '--color) offers=(auto always never) ;;
            *' '--config) files=-f ;;
            *' '--model) files=-f ;;
            *' '--svg) files=-f ;;
            *' '--for) offers=(ready stopped failed idle) ;;
            *' '--level) offers=(debug info warn error) ;;
            *' '--type) offers=(instance wedged placement catalogue service config key alert cleared requests samples logs) ;;
            *' '--format) offers=(json ini) ;;
            *' '--strip) offers=("${_llamactl_parameters[@]}") ;;
            *' '--from) _llamactl_names model alias ;;
            *' '--key) _llamactl_names key ;;
            *' '--scope) offers=(infer observe control admin) ;;
            *' '--wait) offers=(comments reasoning space none) ;;
        esac
    elif [[ $current == -* && -z $ended ]]; then
        case $place in
            /quickstart) options=(--model --prompt) ;;
            /chat) options=(--system --max-tokens) ;;
            /top) options=(--svg) ;;
            /ps) options=(-a --all) ;;
            /start) options=(--all --wait --no-wait --timeout --ttl --dry-run) ;;
            /stop) options=(--all --wait --no-wait --timeout --drain --force --dry-run) ;;
            /restart) options=(--all --wait --no-wait --timeout --drain --force --dry-run) ;;
            /wait) options=(--for --timeout) ;;
            /logs) options=(-f --follow -n --lines --since --until --level --grep --previous) ;;
            /events) options=(-f --follow --since --type -n --lines) ;;
            /fit) options=(--ctx --parallel --save) ;;
            /doctor) options=(--fix --timeout) ;;
            /api) options=(--list --describe --timeout) ;;
            /models/export) options=(--format) ;;
            /models/import) options=(--replace --dry-run) ;;
            /models/add) options=(--name) ;;
            /models/alias) options=(--rm) ;;
            /models/verify) options=(--deep) ;;
            /models/variants/set) options=(--strip) ;;
            /presets/save) options=(--from --replace) ;;
            /presets/rm) options=(--force) ;;
            /presets/export) options=(--format) ;;
            /presets/import) options=(--replace) ;;
            /templates/default) options=(--none) ;;
            /requests) options=(--model --since --key --status -n --lines -f --follow) ;;
            /requests/ls) options=(--model --since --key --status -n --lines -f --follow) ;;
            /requests/show) options=(--body) ;;
            /keys/create) options=(--scope --model --expires --rate --parallel --priority --wait) ;;
            /keys/ls) options=(-a --all) ;;
            /rpc/start) options=(--device --mem --threads --cache --insecure) ;;
            /rpc/logs) options=(-f --follow -n --lines) ;;
            /config/show) options=(--origin) ;;
            /config/set) options=(--now) ;;
            /config/unset) options=(--now) ;;
            /config/edit) options=(--now) ;;
            /config/import) options=(--dry-run) ;;
            /daemon/run) options=(--check --insecure) ;;
            /daemon/start) options=(--insecure) ;;
            /daemon/stop) options=(--timeout --keep-models --no-keep-models --left-behind) ;;
            /daemon/restart) options=(--timeout --keep-models --insecure) ;;
            /daemon/reexec) options=(--timeout) ;;
            /daemon/install-unit) options=(--user --dry-run) ;;
            /metrics/history) options=(--since --step --model --gpu --metric --plot) ;;
            /metrics/export) options=(--format --since --step --model --gpu --metric) ;;
            /db/check) options=(--quick) ;;
            /db/backup) options=(--force) ;;
        esac
        offers=("${options[@]}" -H --host -o --output --json -q --quiet -v --verbose --color --config -y --yes --no-input --version -h --help)
    else
        case $place in
            '')
                offers=(quickstart chat status top ps start stop restart pin unpin wait why logs events fit devices completion doctor api version models presets templates requests keys rpc config daemon metrics db)
                ;;
            /chat)
                (( count == 0 )) && _llamactl_names model alias variant
                ;;
            /start)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /stop)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /restart)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /pin)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /unpin)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /wait)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /why)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /logs)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /fit)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /completion)
                (( count == 0 )) && offers=(bash zsh fish)
                ;;
            /api)
                (( count == 0 )) && offers=(config.show config.set config.read config.write config.check config.import daemon.status daemon.surroundings daemon.stop daemon.reexec daemon.reload daemon.install_units engine.show db.check db.backup db.vacuum instances.list instances.start instances.plan instances.restart instances.pin instances.unpin instances.wait instances.stop instances.why events.list watch models.fit devices.list keys.create keys.list keys.revoke keys.rotate logs.read logger.show logger.set metrics.show metrics.history metrics.export models.list models.add models.add_all models.starter models.fetch_starter models.remove models.show models.set models.rename models.clone models.alias models.shape models.verify models.command models.scan models.export models.import presets.list presets.show presets.save presets.set presets.put presets.apply presets.remove defaults.show defaults.set requests.list requests.show requests.bodies requests.cancel templates.list templates.set rpc.start rpc.stop rpc.list rpc.logs)
                ;;
            /models)
                offers=(export import ls add scan rm show set unset rename clone alias verify command defaults variants)
                ;;
            /models/export)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /models/import)
                (( count == 0 )) && files=-f
                ;;
            /models/add)
                (( count >= 0 )) && files=-f
                ;;
            /models/scan)
                (( count >= 0 )) && files=-d
                ;;
            /models/rm)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /models/show)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /models/set)
                (( count == 0 )) && _llamactl_names model alias
                (( count >= 1 )) && _llamactl_assignment "${_llamactl_settings[@]}"
                ;;
            /models/unset)
                (( count == 0 )) && _llamactl_names model alias
                (( count >= 1 )) && offers=("${_llamactl_settings[@]}")
                ;;
            /models/rename)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /models/clone)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /models/alias)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /models/verify)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /models/command)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /models/defaults)
                offers=(show set unset)
                ;;
            /models/defaults/set)
                (( count >= 0 )) && _llamactl_assignment "${_llamactl_defaults[@]}"
                ;;
            /models/defaults/unset)
                (( count >= 0 )) && offers=("${_llamactl_defaults[@]}")
                ;;
            /models/variants)
                offers=(ls set unset rm)
                ;;
            /models/variants/ls)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /models/variants/set)
                (( count == 0 )) && _llamactl_names model alias variant
                (( count >= 1 )) && _llamactl_assignment "${_llamactl_parameters[@]}"
                ;;
            /models/variants/unset)
                (( count == 0 )) && _llamactl_names model alias variant
                (( count >= 1 )) && offers=("${_llamactl_parameters[@]}")
                ;;
            /models/variants/rm)
                (( count == 0 )) && _llamactl_names model alias variant
                ;;
            /presets)
                offers=(ls show save set unset apply unapply rm export import)
                ;;
            /presets/show)
                (( count == 0 )) && _llamactl_names preset
                ;;
            /presets/save)
                (( count == 0 )) && _llamactl_names preset
                ;;
            /presets/set)
                (( count == 0 )) && _llamactl_names preset
                (( count >= 1 )) && _llamactl_assignment "${_llamactl_settings[@]}"
                ;;
            /presets/unset)
                (( count == 0 )) && _llamactl_names preset
                (( count >= 1 )) && offers=("${_llamactl_settings[@]}")
                ;;
            /presets/apply)
                (( count == 0 )) && _llamactl_names preset
                (( count >= 1 )) && _llamactl_names model alias
                ;;
            /presets/unapply)
                (( count >= 0 )) && _llamactl_names model alias
                ;;
            /presets/rm)
                (( count == 0 )) && _llamactl_names preset
                ;;
            /presets/export)
                (( count >= 0 )) && _llamactl_names preset
                ;;
            /presets/import)
                (( count == 0 )) && files=-f
                ;;
            /templates)
                offers=(ls set unset default)
                ;;
            /templates/set)
                (( count == 0 )) && _llamactl_names model alias
                (( count == 1 )) && files=-f
                ;;
            /templates/unset)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /templates/default)
                (( count == 0 )) && _llamactl_names model alias
                ;;
            /requests)
                offers=(ls show cancel)
                ;;
            /keys)
                offers=(create ls revoke rotate)
                ;;
            /keys/revoke)
                (( count == 0 )) && _llamactl_names key
                ;;
            /keys/rotate)
                (( count == 0 )) && _llamactl_names key
                ;;
            /rpc)
                offers=(start stop ls logs)
                ;;
            /config)
                offers=(show get set unset path validate edit import)
                ;;
            /config/get)
                (( count == 0 )) && offers=("${_llamactl_config[@]}")
                ;;
            /config/set)
                (( count == 0 )) && offers=("${_llamactl_config[@]}")
                (( count == 1 )) && _llamactl_values "$word"
                ;;
            /config/unset)
                (( count == 0 )) && offers=("${_llamactl_config[@]}")
                ;;
            /config/validate)
                (( count == 0 )) && files=-f
                ;;
            /config/import)
                (( count == 0 )) && files=-f
                ;;
            /daemon)
                offers=(run start stop restart reload log-level reexec install-unit status)
                ;;
            /daemon/log-level)
                (( count == 0 )) && offers=(debug info warn error)
                ;;
            /metrics)
                offers=(show history export dashboard)
                ;;
            /db)
                offers=(check backup vacuum)
                ;;
            /db/backup)
                (( count == 0 )) && files=-f
                ;;
        esac
    fi
    if [[ -n $files ]]; then
        compopt -o filenames
        mapfile -t offers < <(compgen "$files" -- "$current")
    fi
    for word in "${offers[@]}"; do
        [[ $word == "$current"* ]] || continue
        word=$before$word
        word=${word#"$cut"}
        if [[ -z $quote$files ]]; then
            printf -v word %q "$word"
        elif [[ -n $quote && $word == *[$special]* ]]; then
            continue
        fi
        COMPREPLY+=("$word")
    done
}

complete -F _llamactl llamactl llamactld
