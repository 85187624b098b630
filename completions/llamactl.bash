# bash completion for llamactl and llamactld                    -*- shell-script -*-
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

_llamactl_settings='server_path model_url docker_repo hf_repo hf_repo_draft hf_file hf_token one_shot_preset ctx_size predict batch_size ubatch_size n_parallel cont_batching threads threads_batch cpu_mask cpu_range cpu_strict cpu_mask_batch cpu_range_batch cpu_strict_batch priority priority_batch keep tags ttl pinned temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar grammar_file json_schema json_schema_file ignore_eos escape rope_scaling_type rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast flash_attn logit_bias adaptive_target adaptive_decay backend_sampling reverse_prompt cache_ram cache_type_k cache_type_v load_mode mmap mlock direct_io numa device gpu_layers split_mode tensor_split main_gpu kv_offload repack no_host swa_full override_tensor cpu_moe n_cpu_moe kv_unified pooling context_shift rpc offline override_kv op_offload fit fit_target fit_ctx check_tensors sleep_idle_seconds polling polling_batch reasoning_format reasoning_budget custom_params reasoning reasoning_effort reasoning_budget_message reasoning_preserve skip_chat_parsing special embd_normalize perf lora lora_scaled control_vector control_vector_scaled control_vector_layer_range model_draft threads_draft threads_batch_draft draft_max draft_min draft_p_min cache_type_k_draft cache_type_v_draft cpu_moe_draft n_cpu_moe_draft n_gpu_layers_draft device_draft lora_init_without_apply spec_type spec_default spec_draft_p_split spec_draft_backend_sampling spec_draft_override_tensor spec_draft_cpu_mask spec_draft_cpu_range spec_draft_cpu_strict spec_draft_prio spec_draft_poll spec_draft_cpu_mask_batch spec_draft_cpu_strict_batch spec_draft_prio_batch spec_draft_poll_batch spec_ngram_mod_n_min spec_ngram_mod_n_max spec_ngram_mod_n_match spec_ngram_simple_size_n spec_ngram_simple_size_m spec_ngram_simple_min_hits spec_ngram_map_k_size_n spec_ngram_map_k_size_m spec_ngram_map_k_min_hits spec_ngram_map_k4v_size_n spec_ngram_map_k4v_size_m spec_ngram_map_k4v_min_hits lookup_cache_static lookup_cache_dynamic mmproj mmproj_url mmproj_auto mmproj_offload image_min_tokens image_max_tokens mtmd_batch_max_tokens webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent'

_llamactl_values() {
    case $1 in
        server_path|grammar_file|json_schema_file|model_draft|lookup_cache_static|lookup_cache_dynamic|mmproj|webui_config_file|slot_save_path|media_path|chat_template_file|log_file|log_prompts_dir|mcp_servers_config) echo 'FILE' ;;
        one_shot_preset) echo 'embd-gemma-default fim-qwen-1.5b-default fim-qwen-3b-default fim-qwen-7b-default fim-qwen-7b-spec fim-qwen-14b-spec fim-qwen-30b-default gpt-oss-20b-default gpt-oss-120b-default vision-gemma-4b-default vision-gemma-12b-default' ;;
        cont_batching|cpu_strict|cpu_strict_batch|pinned|ignore_eos|escape|backend_sampling|mmap|mlock|direct_io|kv_offload|repack|no_host|swa_full|cpu_moe|kv_unified|context_shift|offline|op_offload|fit|check_tensors|polling_batch|reasoning_preserve|skip_chat_parsing|special|perf|cpu_moe_draft|lora_init_without_apply|spec_default|spec_draft_backend_sampling|spec_draft_cpu_strict|spec_draft_poll|spec_draft_cpu_strict_batch|spec_draft_poll_batch|mmproj_auto|mmproj_offload|webui|no_webui|embeddings|reranking|metrics_enabled|props_enabled|slots_enabled|jinja|prefill_assistant|warmup|spm_infill|log_disable|log_verbose|log_prefix|log_timestamps|cache_prompt|cache_idle_slots|reuse_port|cors_credentials|ui_mcp_proxy|agent) echo 'on off' ;;
        rope_scaling_type) echo 'none linear yarn' ;;
        flash_attn|reasoning|log_colors) echo 'on off auto' ;;
        cache_type_k|cache_type_v|cache_type_k_draft|cache_type_v_draft) echo 'f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1' ;;
        load_mode) echo 'auto none mmap mlock mmap+mlock dio' ;;
        numa) echo 'distribute isolate numactl' ;;
        split_mode) echo 'none layer row tensor' ;;
        pooling) echo 'none mean cls last rank' ;;
        reasoning_format) echo 'none deepseek deepseek-legacy auto' ;;
    esac
}

# What may come where KEY=VALUE is expected.
_llamactl_assignment() {
    if [[ -z $equals ]]; then
        words="${_llamactl_settings// /= }="
        compopt -o nospace
    else
        words=$(_llamactl_values "$previous")
        [[ $words == FILE ]] && words='' files=yes
    fi
}

_llamactl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local place='' word='' skip='' ended='' options='' words='' files='' equals='' arguments=''
    [[ ${COMP_WORDS[0]##*/} == llamactld ]] && place=/daemon/run
    COMPREPLY=()
    # bash cuts --output=json into three words.
    if [[ $current == = ]]; then
        current='' equals=yes
    elif [[ $previous == = ]]; then
        equals=yes
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ -n $skip ]]; then
            [[ $word == = ]] || skip=''
            continue
        fi
        case $word in
            --) ended=yes; break ;;
            --color|--config|--ctx|--device|--drain|--expires|--for|--format|--from|--gpu|--grep|--host|--key|--level|--lines|--max-tokens|--mem|--metric|--model|--name|--output|--parallel|--priority|--prompt|--rate|--scope|--since|--status|--step|--strip|--system|--threads|--timeout|--ttl|--type|--until|-H|-n|-o) skip=yes; continue ;;
            -*|=) continue ;;
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
            /quickstart|/chat|/status|/top|/ps|/start|/stop|/restart|/pin|/unpin|/wait|/why|/logs|/events|/fit|/devices|/version|/models|/models/export|/models/import|/models/ls|/models/add|/models/scan|/models/rm|/models/show|/models/set|/models/unset|/models/rename|/models/clone|/models/alias|/models/verify|/models/command|/models/defaults|/models/defaults/show|/models/defaults/set|/models/defaults/unset|/models/variants|/models/variants/ls|/models/variants/set|/models/variants/unset|/models/variants/rm|/presets|/presets/ls|/presets/show|/presets/save|/presets/set|/presets/unset|/presets/apply|/presets/unapply|/presets/rm|/presets/export|/presets/import|/templates|/templates/ls|/templates/set|/templates/unset|/templates/default|/requests|/requests/ls|/requests/show|/requests/cancel|/keys|/keys/create|/keys/ls|/keys/revoke|/keys/rotate|/rpc|/rpc/start|/rpc/stop|/rpc/ls|/rpc/logs|/config|/config/show|/config/get|/config/set|/config/unset|/config/path|/config/validate|/config/edit|/config/import|/daemon|/daemon/run|/daemon/start|/daemon/stop|/daemon/restart|/daemon/reload|/daemon/log-level|/daemon/reexec|/daemon/status|/metrics|/metrics/show|/metrics/history|/metrics/export|/metrics/dashboard|/db|/db/check|/db/backup|/db/vacuum) place+=/$word ;;
            *) arguments+=x ;;
        esac
    done
    if [[ -n $skip ]]; then
        case $place' '$previous in
            /requests' '--model) : ;;
            /requests/ls' '--model) : ;;
            /keys/create' '--model) : ;;
            /metrics/history' '--model) : ;;
            /metrics/export' '--format) words='csv json prom' ;;
            /metrics/export' '--model) : ;;
            *' '-o|*' '--output) words='table wide json jsonl name' ;;
            *' '--color) words='auto always never' ;;
            *' '--config) files=yes ;;
            *' '--model) files=yes ;;
            *' '--for) words='ready stopped failed idle' ;;
            *' '--level) words='debug info warn error' ;;
            *' '--format) words='json ini' ;;
        esac
    else
        case $place in
            '')
                words='quickstart chat status top ps start stop restart pin unpin wait why logs events fit devices version models presets templates requests keys rpc config daemon metrics db'
                ;;
            /quickstart)
                options='--model --prompt'
                ;;
            /chat)
                options='--system --max-tokens'
                ;;
            /ps)
                options='-a --all'
                ;;
            /start)
                options='--all --wait --no-wait --timeout --ttl --dry-run'
                ;;
            /stop)
                options='--all --wait --no-wait --timeout --drain --force --dry-run'
                ;;
            /restart)
                options='--all --wait --no-wait --timeout --drain --force --dry-run'
                ;;
            /wait)
                options='--for --timeout'
                ;;
            /logs)
                options='-f --follow -n --lines --since --until --level --grep --previous'
                ;;
            /events)
                options='-f --follow --since --type -n --lines'
                ;;
            /fit)
                options='--ctx --parallel --save'
                ;;
            /models)
                words='export import ls add scan rm show set unset rename clone alias verify command defaults variants'
                ;;
            /models/export)
                options='--format'
                ;;
            /models/import)
                options='--replace --dry-run'
                files=yes
                ;;
            /models/add)
                options='--name'
                files=yes
                ;;
            /models/scan)
                files=directories
                ;;
            /models/set)
                (( ${#arguments} >= 1 )) && _llamactl_assignment
                ;;
            /models/unset)
                (( ${#arguments} >= 1 )) && words="$_llamactl_settings"
                ;;
            /models/alias)
                options='--rm'
                ;;
            /models/verify)
                options='--deep'
                ;;
            /models/defaults)
                words='show set unset'
                ;;
            /models/defaults/set)
                (( ${#arguments} >= 0 )) && _llamactl_assignment
                ;;
            /models/defaults/unset)
                (( ${#arguments} >= 0 )) && words="$_llamactl_settings"
                ;;
            /models/variants)
                words='ls set unset rm'
                ;;
            /models/variants/set)
                options='--strip'
                (( ${#arguments} >= 1 )) && _llamactl_assignment
                ;;
            /models/variants/unset)
                (( ${#arguments} >= 1 )) && words="$_llamactl_settings"
                ;;
            /presets)
                words='ls show save set unset apply unapply rm export import'
                ;;
            /presets/save)
                options='--from --replace'
                ;;
            /presets/set)
                (( ${#arguments} >= 1 )) && _llamactl_assignment
                ;;
            /presets/unset)
                (( ${#arguments} >= 1 )) && words="$_llamactl_settings"
                ;;
            /presets/rm)
                options='--force'
                ;;
            /presets/export)
                options='--format'
                ;;
            /presets/import)
                options='--replace'
                files=yes
                ;;
            /templates)
                words='ls set unset default'
                ;;
            /templates/default)
                options='--none'
                ;;
            /requests)
                options='--model --since --key --status -n --lines -f --follow'
                words='ls show cancel'
                ;;
            /requests/ls)
                options='--model --since --key --status -n --lines -f --follow'
                ;;
            /requests/show)
                options='--body'
                ;;
            /keys)
                words='create ls revoke rotate'
                ;;
            /keys/create)
                options='--scope --model --expires --rate --parallel --priority'
                ;;
            /keys/ls)
                options='-a --all'
                ;;
            /rpc)
                words='start stop ls logs'
                ;;
            /rpc/start)
                options='--device --mem --threads --cache --insecure'
                ;;
            /rpc/logs)
                options='-f --follow -n --lines'
                ;;
            /config)
                words='show get set unset path validate edit import'
                ;;
            /config/show)
                options='--origin'
                ;;
            /config/set)
                options='--now'
                ;;
            /config/unset)
                options='--now'
                ;;
            /config/validate)
                files=yes
                ;;
            /config/edit)
                options='--now'
                ;;
            /config/import)
                options='--dry-run'
                files=yes
                ;;
            /daemon)
                words='run start stop restart reload log-level reexec status'
                ;;
            /daemon/run)
                options='--check --insecure'
                ;;
            /daemon/start)
                options='--insecure'
                ;;
            /daemon/stop)
                options='--timeout --keep-models --no-keep-models'
                ;;
            /daemon/restart)
                options='--timeout --keep-models --insecure'
                ;;
            /daemon/reexec)
                options='--timeout'
                ;;
            /metrics)
                words='show history export dashboard'
                ;;
            /metrics/history)
                options='--since --step --model --gpu --metric --plot'
                ;;
            /metrics/export)
                options='--format --since --step --model --gpu --metric'
                ;;
            /db)
                words='check backup vacuum'
                ;;
            /db/check)
                options='--quick'
                ;;
            /db/backup)
                options='--force'
                files=yes
                ;;
        esac
        if [[ $current == -* && -z $ended ]]; then
            words="$options -H --host -o --output --json -q --quiet -v --verbose --color --config -y --yes --no-input --version -h --help" files=''
        fi
    fi
    if [[ -n $files ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen "$([[ $files == yes ]] && echo -f || echo -d)" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
}

complete -F _llamactl llamactl llamactld
