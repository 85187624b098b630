# fish completion for llamactl and llamactld
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

# The names of these kinds.
function __llamactl_names
    set -l places
    switch "$LLAMACTL_HOST"
        case 'http://*' 'https://*'
            return
        case '?*'
            set places (string replace -r '/[^/]*$' '' -- (string replace -r '^unix://' '' -- $LLAMACTL_HOST))
        case '*'
            set places /run/llamactl
            if string match -q '/*' -- "$XDG_RUNTIME_DIR"
                set -p places "$XDG_RUNTIME_DIR/llamactl"
            else
                for place in "$TMPDIR" "$TEMP" "$TMP" /tmp
                    string match -q '/*' -- "$place"; and test -d "$place"; and break
                end
                set place "$place/llamactl-"(id -u)
                test -O "$place"; and set -p places "$place"
            end
    end
    # A daemon that runs goes before one that has left its names.
    for place in $places $places[1]
        test -S "$place/control.sock"; and break
    end
    test -f "$place/names" -a -r "$place/names"
    and string replace -rf '^('(string join '|' -- $argv)')\t' '' < "$place/names"
end

function __llamactl_settings
    printf '%s\n' server_path model_url docker_repo hf_repo hf_repo_draft hf_file hf_token one_shot_preset ctx_size predict batch_size ubatch_size n_parallel cont_batching threads threads_batch cpu_mask cpu_range cpu_strict cpu_mask_batch cpu_range_batch cpu_strict_batch priority priority_batch keep tags ttl pinned temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar grammar_file json_schema json_schema_file ignore_eos escape rope_scaling_type rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast flash_attn logit_bias adaptive_target adaptive_decay backend_sampling reverse_prompt cache_ram cache_type_k cache_type_v load_mode mmap mlock direct_io numa device gpu_layers split_mode tensor_split main_gpu kv_offload repack no_host swa_full override_tensor cpu_moe n_cpu_moe kv_unified pooling context_shift rpc offline override_kv op_offload fit fit_target fit_ctx check_tensors sleep_idle_seconds polling polling_batch reasoning_format reasoning_budget custom_params reasoning reasoning_effort reasoning_budget_message reasoning_preserve skip_chat_parsing special embd_normalize perf lora lora_scaled control_vector control_vector_scaled control_vector_layer_range model_draft threads_draft threads_batch_draft draft_max draft_min draft_p_min cache_type_k_draft cache_type_v_draft cpu_moe_draft n_cpu_moe_draft n_gpu_layers_draft device_draft lora_init_without_apply spec_type spec_default spec_draft_p_split spec_draft_backend_sampling spec_draft_override_tensor spec_draft_cpu_mask spec_draft_cpu_range spec_draft_cpu_strict spec_draft_prio spec_draft_poll spec_draft_cpu_mask_batch spec_draft_cpu_strict_batch spec_draft_prio_batch spec_draft_poll_batch spec_ngram_mod_n_min spec_ngram_mod_n_max spec_ngram_mod_n_match spec_ngram_simple_size_n spec_ngram_simple_size_m spec_ngram_simple_min_hits spec_ngram_map_k_size_n spec_ngram_map_k_size_m spec_ngram_map_k_min_hits spec_ngram_map_k4v_size_n spec_ngram_map_k4v_size_m spec_ngram_map_k4v_min_hits lookup_cache_static lookup_cache_dynamic mmproj mmproj_url mmproj_auto mmproj_offload image_min_tokens image_max_tokens mtmd_batch_max_tokens webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent
end

function __llamactl_defaults
    printf '%s\n' webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent
end

function __llamactl_parameters
    printf '%s\n' temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar json_schema rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast logit_bias adaptive_target adaptive_decay reverse_prompt
end

function __llamactl_config
    printf '%s\n' http.host http.port http.listen http.max_body http.connections http.tls_cert http.tls_key http.cors_origins http.allowed_hosts models.directories models.watch models.include models.exclude models.default models.standby models.preload llama_server.path llama_server.hf_repo_draft llama_server.hf_token llama_server.ctx_size llama_server.predict llama_server.batch_size llama_server.ubatch_size llama_server.n_parallel llama_server.cont_batching llama_server.threads llama_server.threads_batch llama_server.cpu_mask llama_server.cpu_range llama_server.cpu_strict llama_server.cpu_mask_batch llama_server.cpu_range_batch llama_server.cpu_strict_batch llama_server.priority llama_server.priority_batch llama_server.keep llama_server.tags llama_server.temperature llama_server.top_k llama_server.top_p llama_server.min_p llama_server.top_nsigma llama_server.xtc_probability llama_server.xtc_threshold llama_server.typical_p llama_server.repeat_last_n llama_server.repeat_penalty llama_server.presence_penalty llama_server.frequency_penalty llama_server.dry_multiplier llama_server.dry_base llama_server.dry_allowed_length llama_server.dry_penalty_last_n llama_server.dry_sequence_breaker llama_server.dynatemp_range llama_server.dynatemp_exp llama_server.mirostat llama_server.mirostat_lr llama_server.mirostat_ent llama_server.samplers llama_server.sampler_seq llama_server.seed llama_server.grammar llama_server.grammar_file llama_server.json_schema llama_server.json_schema_file llama_server.ignore_eos llama_server.escape llama_server.rope_scaling_type llama_server.rope_scale llama_server.rope_freq_base llama_server.rope_freq_scale llama_server.yarn_orig_ctx llama_server.yarn_ext_factor llama_server.yarn_attn_factor llama_server.yarn_beta_slow llama_server.yarn_beta_fast llama_server.flash_attn llama_server.logit_bias llama_server.adaptive_target llama_server.adaptive_decay llama_server.backend_sampling llama_server.reverse_prompt llama_server.cache_ram llama_server.cache_type_k llama_server.cache_type_v llama_server.load_mode llama_server.mmap llama_server.mlock llama_server.direct_io llama_server.numa llama_server.device llama_server.gpu_layers llama_server.split_mode llama_server.tensor_split llama_server.main_gpu llama_server.kv_offload llama_server.repack llama_server.no_host llama_server.swa_full llama_server.override_tensor llama_server.cpu_moe llama_server.n_cpu_moe llama_server.kv_unified llama_server.pooling llama_server.context_shift llama_server.rpc llama_server.offline llama_server.override_kv llama_server.op_offload llama_server.fit llama_server.fit_target llama_server.fit_ctx llama_server.check_tensors llama_server.sleep_idle_seconds llama_server.polling llama_server.polling_batch llama_server.reasoning_format llama_server.reasoning_budget llama_server.custom_params llama_server.reasoning llama_server.reasoning_effort llama_server.reasoning_budget_message llama_server.reasoning_preserve llama_server.skip_chat_parsing llama_server.special llama_server.embd_normalize llama_server.perf llama_server.lora llama_server.lora_scaled llama_server.control_vector llama_server.control_vector_scaled llama_server.control_vector_layer_range llama_server.model_draft llama_server.threads_draft llama_server.threads_batch_draft llama_server.draft_max llama_server.draft_min llama_server.draft_p_min llama_server.cache_type_k_draft llama_server.cache_type_v_draft llama_server.cpu_moe_draft llama_server.n_cpu_moe_draft llama_server.n_gpu_layers_draft llama_server.device_draft llama_server.lora_init_without_apply llama_server.spec_type llama_server.spec_default llama_server.spec_draft_p_split llama_server.spec_draft_backend_sampling llama_server.spec_draft_override_tensor llama_server.spec_draft_cpu_mask llama_server.spec_draft_cpu_range llama_server.spec_draft_cpu_strict llama_server.spec_draft_prio llama_server.spec_draft_poll llama_server.spec_draft_cpu_mask_batch llama_server.spec_draft_cpu_strict_batch llama_server.spec_draft_prio_batch llama_server.spec_draft_poll_batch llama_server.spec_ngram_mod_n_min llama_server.spec_ngram_mod_n_max llama_server.spec_ngram_mod_n_match llama_server.spec_ngram_simple_size_n llama_server.spec_ngram_simple_size_m llama_server.spec_ngram_simple_min_hits llama_server.spec_ngram_map_k_size_n llama_server.spec_ngram_map_k_size_m llama_server.spec_ngram_map_k_min_hits llama_server.spec_ngram_map_k4v_size_n llama_server.spec_ngram_map_k4v_size_m llama_server.spec_ngram_map_k4v_min_hits llama_server.lookup_cache_static llama_server.lookup_cache_dynamic llama_server.mmproj llama_server.mmproj_url llama_server.mmproj_auto llama_server.mmproj_offload llama_server.image_min_tokens llama_server.image_max_tokens llama_server.mtmd_batch_max_tokens llama_server.webui llama_server.webui_config_file llama_server.embeddings llama_server.reranking llama_server.api_key llama_server.timeout llama_server.threads_http llama_server.cache_reuse llama_server.metrics_enabled llama_server.props_enabled llama_server.slots_enabled llama_server.slot_save_path llama_server.media_path llama_server.jinja llama_server.chat_template llama_server.chat_template_file llama_server.chat_template_kwargs llama_server.prefill_assistant llama_server.ctx_checkpoints llama_server.warmup llama_server.spm_infill llama_server.log_disable llama_server.log_file llama_server.log_colors llama_server.log_verbose llama_server.log_prefix llama_server.log_timestamps llama_server.verbosity llama_server.log_prompts_dir llama_server.checkpoint_min_step llama_server.cache_prompt llama_server.cache_idle_slots llama_server.slot_prompt_similarity llama_server.sse_ping_interval llama_server.reuse_port llama_server.cors_origins llama_server.cors_methods llama_server.cors_headers llama_server.cors_credentials llama_server.ui_config llama_server.ui_mcp_proxy llama_server.tools llama_server.tools_runtime llama_server.mcp_servers_config llama_server.mcp_servers_json llama_server.agent residency.max_models residency.memory residency.devices residency.margin residency.ttl residency.max_wait residency.groups residency.queue_per_model residency.queue_total residency.load_timeout residency.drain restart.first restart.factor restart.longest restart.healthy_after restart.crashes restart.window restart.wedge_after restart.wedged access.anonymous access.rate access.insecure access.jwt_secret access.jwt_public_key access.jwt_issuer access.jwt_audience access.jwt_scopes access.jwt_models access.jwt_leeway requests.keep requests.rows requests.capture requests.capture_size metrics.interval metrics.history metrics.tiers metrics.per_key alerts.cpu alerts.memory alerts.disk alerts.gpu alerts.gpu_temperature alerts.gpu_memory alerts.gpu_power alerts.margin alerts.hold alerts.webhook logging.console_level logging.file_level logging.errors_level logging.max_size logging.max_files logging.max_total logging.file logging.console logging.runs
end

function __llamactl_values
    switch $argv[1]
        case server_path grammar_file json_schema_file model_draft lookup_cache_static lookup_cache_dynamic mmproj webui_config_file slot_save_path media_path chat_template_file log_file log_prompts_dir mcp_servers_config http.tls_cert http.tls_key models.directories llama_server.path llama_server.grammar_file llama_server.json_schema_file llama_server.model_draft llama_server.lookup_cache_static llama_server.lookup_cache_dynamic llama_server.mmproj llama_server.webui_config_file llama_server.slot_save_path llama_server.media_path llama_server.chat_template_file llama_server.log_file llama_server.log_prompts_dir llama_server.mcp_servers_config access.jwt_secret access.jwt_public_key
            __fish_complete_path $argv[2]
        case one_shot_preset
            printf '%s\n' embd-gemma-default fim-qwen-1.5b-default fim-qwen-3b-default fim-qwen-7b-default fim-qwen-7b-spec fim-qwen-14b-spec fim-qwen-30b-default gpt-oss-20b-default gpt-oss-120b-default vision-gemma-4b-default vision-gemma-12b-default
        case cont_batching cpu_strict cpu_strict_batch pinned ignore_eos escape backend_sampling mmap mlock direct_io kv_offload repack no_host swa_full cpu_moe kv_unified context_shift offline op_offload fit check_tensors polling_batch reasoning_preserve skip_chat_parsing special perf cpu_moe_draft lora_init_without_apply spec_default spec_draft_backend_sampling spec_draft_cpu_strict spec_draft_poll spec_draft_cpu_strict_batch spec_draft_poll_batch mmproj_auto mmproj_offload webui no_webui embeddings reranking metrics_enabled props_enabled slots_enabled jinja prefill_assistant warmup spm_infill log_disable log_verbose log_prefix log_timestamps cache_prompt cache_idle_slots reuse_port cors_credentials ui_mcp_proxy agent llama_server.fit
            printf '%s\n' on off
        case rope_scaling_type llama_server.rope_scaling_type
            printf '%s\n' none linear yarn
        case flash_attn reasoning log_colors llama_server.flash_attn llama_server.reasoning llama_server.log_colors
            printf '%s\n' on off auto
        case cache_type_k cache_type_v cache_type_k_draft cache_type_v_draft llama_server.cache_type_k llama_server.cache_type_v llama_server.cache_type_k_draft llama_server.cache_type_v_draft
            printf '%s\n' f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1
        case load_mode llama_server.load_mode
            printf '%s\n' auto none mmap mlock mmap+mlock dio
        case numa llama_server.numa
            printf '%s\n' distribute isolate numactl
        case split_mode llama_server.split_mode
            printf '%s\n' none layer row tensor
        case pooling llama_server.pooling
            printf '%s\n' none mean cls last rank
        case reasoning_format llama_server.reasoning_format
            printf '%s\n' none deepseek deepseek-legacy auto
        case models.watch llama_server.cont_batching llama_server.cpu_strict llama_server.cpu_strict_batch llama_server.ignore_eos llama_server.escape llama_server.backend_sampling llama_server.mmap llama_server.mlock llama_server.direct_io llama_server.kv_offload llama_server.repack llama_server.no_host llama_server.swa_full llama_server.cpu_moe llama_server.kv_unified llama_server.context_shift llama_server.offline llama_server.op_offload llama_server.check_tensors llama_server.polling_batch llama_server.reasoning_preserve llama_server.skip_chat_parsing llama_server.special llama_server.perf llama_server.cpu_moe_draft llama_server.lora_init_without_apply llama_server.spec_default llama_server.spec_draft_backend_sampling llama_server.spec_draft_cpu_strict llama_server.spec_draft_poll llama_server.spec_draft_cpu_strict_batch llama_server.spec_draft_poll_batch llama_server.mmproj_auto llama_server.mmproj_offload llama_server.webui llama_server.embeddings llama_server.reranking llama_server.metrics_enabled llama_server.props_enabled llama_server.slots_enabled llama_server.jinja llama_server.prefill_assistant llama_server.warmup llama_server.spm_infill llama_server.log_disable llama_server.log_verbose llama_server.log_prefix llama_server.log_timestamps llama_server.cache_prompt llama_server.cache_idle_slots llama_server.reuse_port llama_server.cors_credentials llama_server.ui_mcp_proxy llama_server.agent access.insecure metrics.per_key logging.file logging.console
            printf '%s\n' true false
        case models.default models.standby models.preload
            __llamactl_names model alias
        case restart.wedged
            printf '%s\n' mark restart
        case access.anonymous
            printf '%s\n' auto none infer observe
        case logging.console_level logging.file_level logging.errors_level
            printf '%s\n' debug info warn error
    end
end

# What may come where KEY=VALUE is expected, with these keys.
function __llamactl_assignments
    set -l parts (string split -m 1 = -- (commandline -ct))
    if set -q parts[2]
        printf '%s\n' $parts[1]=(__llamactl_values $parts[1] $parts[2])
    else
        printf '%s=\n' $argv
    end
end

# Sets $__llamactl_place, the command that the line is at, and $__llamactl_count, of its arguments before the cursor.
function __llamactl_walk
    set -l words (commandline -opc)
    test "$words" = "$__llamactl_words"
    and return
    set -g __llamactl_words $words
    set -l place ''
    set -l skip ''
    set -l count 0
    for word in $words[2..-1]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch $word
            case --
                break
            case --color --config --ctx --device --drain --expires --for --format --from --gpu --grep --host --key --level --lines --max-tokens --mem --metric --model --name --output --parallel --priority --prompt --rate --scope --since --status --step --strip --svg --system --threads --timeout --ttl --type --until --wait -H -n -o
                set skip 1
                continue
            case '-*'
                continue
        end
        switch $place/$word
            case /load
                set place /start
            case /unload
                set place /stop
            case /models/list
                set place /models/ls
            case /models/remove
                set place /models/rm
            case /models/variants/list
                set place /models/variants/ls
            case /models/variants/remove
                set place /models/variants/rm
            case /presets/list
                set place /presets/ls
            case /presets/remove
                set place /presets/rm
            case /templates/list
                set place /templates/ls
            case /requests/list
                set place /requests/ls
            case /keys/list
                set place /keys/ls
            case /rpc/list
                set place /rpc/ls
            case /quickstart /chat /status /top /ps /start /stop /restart /pin /unpin /wait /why /logs /events /fit /devices /completion /doctor /api /version /models /models/export /models/import /models/ls /models/add /models/scan /models/rm /models/show /models/set /models/unset /models/rename /models/clone /models/alias /models/verify /models/command /models/defaults /models/defaults/show /models/defaults/set /models/defaults/unset /models/variants /models/variants/ls /models/variants/set /models/variants/unset /models/variants/rm /presets /presets/ls /presets/show /presets/save /presets/set /presets/unset /presets/apply /presets/unapply /presets/rm /presets/export /presets/import /templates /templates/ls /templates/set /templates/unset /templates/default /requests /requests/ls /requests/show /requests/cancel /keys /keys/create /keys/ls /keys/revoke /keys/rotate /rpc /rpc/start /rpc/stop /rpc/ls /rpc/logs /config /config/show /config/get /config/set /config/unset /config/path /config/validate /config/edit /config/import /daemon /daemon/run /daemon/start /daemon/stop /daemon/restart /daemon/reload /daemon/log-level /daemon/reexec /daemon/install-unit /daemon/status /metrics /metrics/show /metrics/history /metrics/export /metrics/dashboard /db /db/check /db/backup /db/vacuum
                set place $place/$word
            case '*'
                set count (math $count + 1)
        end
    end
    set -g __llamactl_place $place
    set -g __llamactl_count $count
end

complete -c llamactl -f
complete -c llamactld -f
# Before all others, whichever end fish begins at: to ask a hundred times takes a tenth of a second. Where the value
# of an option is completed, nothing but that option is asked.
complete -c llamactl -n '__llamactl_walk; and false' -a ''
complete -c llamactl -c llamactld -s H -l host -x -d 'The daemon: unix:///path or http(s)://host:port.'
complete -c llamactl -c llamactld -s o -l output -x -a 'table wide json jsonl name' -d 'How to show what is found.'
complete -c llamactl -c llamactld -l json -d 'The same as -o json.'
complete -c llamactl -c llamactld -s q -l quiet -d 'No messages, only data and errors.'
complete -c llamactl -c llamactld -s v -l verbose -d 'Say more.'
complete -c llamactl -c llamactld -l color -x -a 'auto always never' -d 'Colours on the terminal.'
complete -c llamactl -c llamactld -l config -r -F -d 'Another configuration file.'
complete -c llamactl -c llamactld -s y -l yes -d 'Ask nothing: the answer is yes.'
complete -c llamactl -c llamactld -l no-input -d 'Ask nothing: refuse what would have to be asked.'
complete -c llamactl -c llamactld -l version -d 'Show the version.'
complete -c llamactl -c llamactld -s h -l help -d 'Show what there is to say.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a quickstart -d 'Set everything up and get a first answer.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a chat -d 'Ask a model; it is loaded if need be.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a status -d 'Show machine, GPUs, running models and requests under way, once. Exit 3 when a part of the daemon is not up.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a top -d 'Show machine, GPUs, models, requests and logs live; keys start and stop models, sort, filter, pause.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a ps -d 'Show what runs.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a start -d 'Load models. One that is ready already is a success.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a stop -d 'Stop models. One that is stopped already is a success.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a restart -d 'Stop models and load them again, with the settings that they have now.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a pin -d 'Never evict models once they are loaded. It is kept until they are unpinned.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a unpin -d 'Models may be evicted again.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a wait -d 'Return when models are in a state, whoever brings them there.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a why -d 'Show why a model is as it is: how it ended, when it is started again, what it wrote last.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a logs -d 'Show what the daemon, or models\' llama-servers, wrote.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a events -d 'Show what happened, and what happens.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a fit -d 'Show what memory a model needs, what is free, and what would be stopped for it.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a devices -d 'Show the host\'s memory and the GPUs that llama-server finds.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a completion -d 'Print the completions for a shell. Its start file takes them: `source <(llamactl completion bash)`.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a doctor -d 'Look for what is wrong: cause and way out. Exit 1 if something is; warnings alone are none.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a api -d 'Ask the daemon anything, and show the answer as it is: JSON. What goes on is an object a line.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a version -d 'Show the versions of this command and of the daemon.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a models -d 'The catalogue of models.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a presets -d 'Named bundles of settings.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a templates -d 'Chat templates of models.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a requests -d 'What was asked of models: what is under way, and what has been.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a keys -d 'Who may use the HTTP port.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a rpc -d 'Workers: lend this machine to llama-servers on others.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a config -d 'The configuration file; with -H http://… that of the daemon there, which is asked.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a daemon -d 'The daemon itself.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a metrics -d 'What was measured, now and before.'
complete -c llamactl -n 'test -z "$__llamactl_place"' -a db -d 'The database.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /quickstart' -l model -r -F -d 'A GGUF file of your own.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /quickstart' -l prompt -x -d 'What to ask it.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /chat' -l system -x -d 'A system prompt.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /chat' -l max-tokens -x -d 'Tokens of the answer at most.'
complete -c llamactl -n 'test "$__llamactl_place" = /chat -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias variant)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /top' -l svg -r -F -d 'Draw it once, into this file, as large as COLUMNS and LINES say.'
complete -c llamactl -n 'test "$__llamactl_place" = /ps' -s a -l all -d 'Those that do not run, too.'
complete -c llamactl -n 'test "$__llamactl_place" = /start' -l all -d 'Every model of the catalogue.'
complete -c llamactl -n 'test "$__llamactl_place" = /start' -l wait -d 'Return when the models are ready.'
complete -c llamactl -n 'test "$__llamactl_place" = /start' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /start' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /start' -l ttl -x -d 'How long it stays when idle, this time; -1: for ever.'
complete -c llamactl -n 'test "$__llamactl_place" = /start' -l dry-run -d 'Only say what would be stopped for it.'
complete -c llamactl -n 'test "$__llamactl_place" = /start -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /stop' -l all -d 'Every model of the catalogue.'
complete -c llamactl -n 'test "$__llamactl_place" = /stop' -l wait -d 'Return when the models are gone.'
complete -c llamactl -n 'test "$__llamactl_place" = /stop' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /stop' -l drain -x -d 'Time for requests under way; as configured if not given.'
complete -c llamactl -n 'test "$__llamactl_place" = /stop' -l force -d 'At once: --drain 0.'
complete -c llamactl -n 'test "$__llamactl_place" = /stop' -l dry-run -d 'Only show what would be stopped.'
complete -c llamactl -n 'test "$__llamactl_place" = /stop -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /restart' -l all -d 'Every model that runs.'
complete -c llamactl -n 'test "$__llamactl_place" = /restart' -l wait -d 'Return when the models are ready again.'
complete -c llamactl -n 'test "$__llamactl_place" = /restart' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /restart' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /restart' -l drain -x -d 'Time for requests under way; as configured if not given.'
complete -c llamactl -n 'test "$__llamactl_place" = /restart' -l force -d 'At once: --drain 0.'
complete -c llamactl -n 'test "$__llamactl_place" = /restart' -l dry-run -d 'Only show what would be stopped.'
complete -c llamactl -n 'test "$__llamactl_place" = /restart -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /pin -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /unpin -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /wait' -l for -x -a 'ready stopped failed idle' -d 'The state to wait for; idle: ready, with nothing to do.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /wait' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n 'test "$__llamactl_place" = /wait -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /why -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /logs' -s f -l follow -d 'Go on with what is written from now on.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /logs' -s n -l lines -x -d 'How many of the last lines. [default: 50; all with --since]'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /logs' -l since -x -d 'From then on: 15m, 10:30, yesterday, a date.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /logs' -l until -x -d 'Until then.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /logs' -l level -x -a 'debug info warn error' -d 'Only lines at least that grave.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /logs' -l grep -x -d 'Only lines in which this is found.'
complete -c llamactl -n 'test "$__llamactl_place" = /logs' -l previous -d 'The run before the last one.'
complete -c llamactl -n 'test "$__llamactl_place" = /logs -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /events' -s f -l follow -d 'Go on with what happens from now on.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /events' -l since -x -d 'All after the event with this number; 0: all there are.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /events' -l type -x -a 'instance wedged placement catalogue service config key alert cleared requests samples logs' -d 'Only these; may be given several times.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /events' -s n -l lines -x -d 'Without --since: how many of the last.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /fit' -l ctx -x -d 'With a context of so many tokens.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /fit' -l parallel -x -d 'With so many slots.'
complete -c llamactl -n 'test "$__llamactl_place" = /fit' -l save -d 'Set what is recommended.'
complete -c llamactl -n 'test "$__llamactl_place" = /fit -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /completion -a $__llamactl_count -eq 0' -a 'bash zsh fish'
complete -c llamactl -n 'test "$__llamactl_place" = /doctor' -l fix -d 'Mend what is safe to mend: leftovers, modes, orphans.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /doctor' -l timeout -x -d 'How long it may take altogether.'
complete -c llamactl -n 'test "$__llamactl_place" = /api' -l list -d 'Show all methods.'
complete -c llamactl -n 'test "$__llamactl_place" = /api' -l describe -d 'Show the JSON schema of a method.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /api' -l timeout -x -d 'Wait no longer than this for the answer.'
complete -c llamactl -n 'test "$__llamactl_place" = /api -a $__llamactl_count -eq 0' -a 'config.show config.set config.read config.write config.check config.import daemon.status daemon.surroundings daemon.stop daemon.reexec daemon.reload daemon.install_units engine.show db.check db.backup db.vacuum instances.list instances.start instances.plan instances.restart instances.pin instances.unpin instances.wait instances.stop instances.why events.list watch models.fit devices.list keys.create keys.list keys.revoke keys.rotate logs.read logger.show logger.set metrics.show metrics.history metrics.export models.list models.add models.add_all models.starter models.fetch_starter models.remove models.show models.set models.rename models.clone models.alias models.shape models.verify models.command models.scan models.export models.import presets.list presets.show presets.save presets.set presets.put presets.apply presets.remove defaults.show defaults.set requests.list requests.show requests.bodies requests.cancel templates.list templates.set rpc.start rpc.stop rpc.list rpc.logs'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a export -d 'Write models with their settings and presets to the standard output, for `models import`.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a import -d 'Take models with their settings into the catalogue, all of them or none.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a ls -d 'List the catalogue.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a add -d 'Put GGUF files into the catalogue, all of them or none.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a scan -d 'Find GGUF files and put them into the catalogue.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a rm -d 'Take models out of the catalogue; their files stay. At a terminal it asks first.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a show -d 'Show a model with its settings and where each comes from.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a set -d 'Change settings of a model; they count from its next start.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a unset -d 'Leave settings of a model to what stands behind it, and to llama-server.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a rename -d 'Give a stopped model another name.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a clone -d 'Make a second model of the same file and settings.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a alias -d 'Let a model go by other names as well.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a verify -d 'Check that the files of models are there, sound and unchanged, and that their settings would do.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a command -d 'Print the command line that a model would be started with.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a defaults -d 'Settings of llama-server for every model that has none of its own.'
complete -c llamactl -n 'test "$__llamactl_place" = /models' -a variants -d 'What is done to requests for a model: parameters forced or taken away.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /models/export' -l format -x -a 'json ini' -d 'ini is what llama.cpp reads.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/export -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/import' -l replace -d 'Even if something else is set here.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/import' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/import -a $__llamactl_count -eq 0' -F
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /models/add' -l name -x -d 'What to call it; else a name is made from the file\'s.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/add -a $__llamactl_count -ge 0' -F
complete -c llamactl -n 'test "$__llamactl_place" = /models/scan -a $__llamactl_count -ge 0' -a '(__fish_complete_directories)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/rm -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/show -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/set -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/set -a $__llamactl_count -ge 1' -a '(__llamactl_assignments (__llamactl_settings))'
complete -c llamactl -n 'test "$__llamactl_place" = /models/unset -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/unset -a $__llamactl_count -ge 1' -a '(__llamactl_settings)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/rename -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/clone -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/alias' -l rm -d 'Take these away instead.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/alias -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/verify' -l deep -d 'Read all of it, where its checksum is known.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/verify -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/command -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/defaults' -a show -d 'Show what counts for a model that sets nothing, and where it comes from.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/defaults' -a set -d 'Change settings of the server, for every model from its next start; others are for presets and the file.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/defaults' -a unset -d 'Leave settings to the configuration file, and to llama-server.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/defaults/set -a $__llamactl_count -ge 0' -a '(__llamactl_assignments (__llamactl_defaults))'
complete -c llamactl -n 'test "$__llamactl_place" = /models/defaults/unset -a $__llamactl_count -ge 0' -a '(__llamactl_defaults)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants' -a ls -d 'List what is done to requests, by model and variant.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants' -a set -d 'Give requests these parameters, whatever they say themselves; a variant that is not there is made.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants' -a unset -d 'Leave parameters to the requests again.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants' -a rm -d 'Take a variant away, or what is done to all other requests for a model.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/ls -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /models/variants/set' -l strip -x -a '(__llamactl_parameters)' -d 'Take it away; may be repeated.'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/set -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias variant)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/set -a $__llamactl_count -ge 1' -a '(__llamactl_assignments (__llamactl_parameters))'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/unset -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias variant)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/unset -a $__llamactl_count -ge 1' -a '(__llamactl_parameters)'
complete -c llamactl -n 'test "$__llamactl_place" = /models/variants/rm -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias variant)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a ls -d 'List the presets.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a show -d 'Show a preset: its settings, and the models that it is applied to.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a save -d 'Make a preset of what is set for a model, by itself and by its preset.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a set -d 'Change settings of a preset, or make one; they count for its models from their next start.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a unset -d 'Take settings out of a preset.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a apply -d 'Let a preset count for models, where they set nothing themselves; changes of it count for them too.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a unapply -d 'Let no preset count for models.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a rm -d 'Remove a preset.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a export -d 'Write presets to the standard output, for `presets import`; secrets are left out.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets' -a import -d 'Take in presets, all of them or none.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/show -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /presets/save' -l from -x -a '(__llamactl_names model alias)' -d 'The model to take them from.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/save' -l replace -d 'Even if there is another one of that name.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/save -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/set -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/set -a $__llamactl_count -ge 1' -a '(__llamactl_assignments (__llamactl_settings))'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/unset -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/unset -a $__llamactl_count -ge 1' -a '(__llamactl_settings)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/apply -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/apply -a $__llamactl_count -ge 1' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/unapply -a $__llamactl_count -ge 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/rm' -l force -d 'Even if it is applied to models, which lose it.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/rm -a $__llamactl_count -eq 0' -a '(__llamactl_names preset)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /presets/export' -l format -x -a 'json ini' -d 'ini is what llama.cpp reads.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/export -a $__llamactl_count -ge 0' -a '(__llamactl_names preset)'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/import' -l replace -d 'Even if there is another one of that name.'
complete -c llamactl -n 'test "$__llamactl_place" = /presets/import -a $__llamactl_count -eq 0' -F
complete -c llamactl -n 'test "$__llamactl_place" = /templates' -a ls -d 'List the templates that there are, and which model uses which; others use that in their file.'
complete -c llamactl -n 'test "$__llamactl_place" = /templates' -a set -d 'Give a model a chat template; it counts from its next start.'
complete -c llamactl -n 'test "$__llamactl_place" = /templates' -a unset -d 'Leave the chat template of a model to its preset, the defaults, and its file.'
complete -c llamactl -n 'test "$__llamactl_place" = /templates' -a default -d 'Show or set the model of requests that name none.'
complete -c llamactl -n 'test "$__llamactl_place" = /templates/set -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /templates/set -a $__llamactl_count -eq 1' -F
complete -c llamactl -n 'test "$__llamactl_place" = /templates/unset -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n 'test "$__llamactl_place" = /templates/default' -l none -d 'Let there be none.'
complete -c llamactl -n 'test "$__llamactl_place" = /templates/default -a $__llamactl_count -eq 0' -a '(__llamactl_names model alias)'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests' -l model -x -a '(__llamactl_names model alias)' -d 'Of this model only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests' -l since -x -d 'From then on: 10m, 14:30, 2026-01-31.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests' -l key -x -a '(__llamactl_names key)' -d 'Of this API key only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests' -l status -x -d 'Answered with this HTTP status only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests' -s n -l lines -x -d 'How many at most, besides those under way.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests' -s f -l follow -d 'Go on with those that end from now on.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests' -a ls -d 'List requests: those under way, then those that have ended, the newest first.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests' -a show -d 'Show one request.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests' -a cancel -d 'End a request that is under way.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests/ls' -l model -x -a '(__llamactl_names model alias)' -d 'Of this model only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests/ls' -l since -x -d 'From then on: 10m, 14:30, 2026-01-31.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests/ls' -l key -x -a '(__llamactl_names key)' -d 'Of this API key only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests/ls' -l status -x -d 'Answered with this HTTP status only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /requests/ls' -s n -l lines -x -d 'How many at most, besides those under way.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests/ls' -s f -l follow -d 'Go on with those that end from now on.'
complete -c llamactl -n 'test "$__llamactl_place" = /requests/show' -l body -d 'With both bodies, if requests.capture is set.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys' -a create -d 'Make a key, and show it: this once.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys' -a ls -d 'List the keys; secrets are shown to nobody.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys' -a revoke -d 'Take a key back; it counts no more, at once.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys' -a rotate -d 'Give a key another secret, and show it: this once. The old one counts no more.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l scope -x -a 'infer observe control admin' -d 'What it may do, with all that comes before; infer unless said.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l model -x -a '(__llamactl_names model alias)' -d 'Only these models; globs.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l expires -x -d 'When it ends: in 30d, 12h, or on 2030-01-31[T12:00].'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l rate -x -d 'Requests that it may send; also N/s, N/h.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l parallel -x -d 'Requests at once; 0 is no limit.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l priority -x -d 'Who waits goes before those with a lower one.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /keys/create' -l wait -x -a 'comments reasoning space none' -d 'How it is told that it waits, unless a request says X-Llamactl-Wait itself.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys/ls' -s a -l all -d 'Those that were revoked, too.'
complete -c llamactl -n 'test "$__llamactl_place" = /keys/revoke -a $__llamactl_count -eq 0' -a '(__llamactl_names key)'
complete -c llamactl -n 'test "$__llamactl_place" = /keys/rotate -a $__llamactl_count -eq 0' -a '(__llamactl_names key)'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc' -a start -d 'Start a worker: a model with the setting rpc=HOST:PORT computes with it.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc' -a stop -d 'Stop workers; models that compute with them fail.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc' -a ls -d 'List the workers that llamactl runs.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc' -a logs -d 'Show what a worker wrote, while the daemon runs or not.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /rpc/start' -l device -x -d 'Lend these devices only.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /rpc/start' -l mem -x -d 'Lend so much memory; not with every build.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /rpc/start' -l threads -x -d 'Compute with so many threads.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc/start' -l cache -d 'Keep what was sent, for the next load.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc/start' -l insecure -d 'Listen where others can reach it; the protocol has no authentication.'
complete -c llamactl -n 'test "$__llamactl_place" = /rpc/logs' -s f -l follow -d 'Go on with what it writes from now on.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /rpc/logs' -s n -l lines -x -d 'How many of the last lines.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a show -d 'Show every key with its value; those of llama-server that are not set with -v.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a get -d 'Show the value of one key, as `set` takes it.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a set -d 'Set a key in the file.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a unset -d 'Take a key out of the file. One that is not in it is a success.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a path -d 'Show where the file is that `set` and `edit` change.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a validate -d 'Check the configuration.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a edit -d 'Edit the file in $VISUAL or $EDITOR; it is put into its place when it is valid.'
complete -c llamactl -n 'test "$__llamactl_place" = /config' -a import -d 'Take over what another system\'s file says of it.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/show' -l origin -d 'And where each value comes from.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/get -a $__llamactl_count -eq 0' -a '(__llamactl_config)'
complete -c llamactl -n 'test "$__llamactl_place" = /config/set' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/set -a $__llamactl_count -eq 0' -a '(__llamactl_config)'
complete -c llamactl -n 'test "$__llamactl_place" = /config/set -a $__llamactl_count -eq 1' -a '(__llamactl_values (commandline -opc)[-1] (commandline -ct))'
complete -c llamactl -n 'test "$__llamactl_place" = /config/unset' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/unset -a $__llamactl_count -eq 0' -a '(__llamactl_config)'
complete -c llamactl -n 'test "$__llamactl_place" = /config/validate -a $__llamactl_count -eq 0' -F
complete -c llamactl -n 'test "$__llamactl_place" = /config/edit' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/import' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n 'test "$__llamactl_place" = /config/import -a $__llamactl_count -eq 0' -F
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a run -d 'Run the daemon in the foreground.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a start -d 'Start the daemon in the background.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a stop -d 'Stop the daemon and every model it runs.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a restart -d 'Stop the daemon and every model it runs, and start it again.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a reload -d 'Have the daemon read its configuration again. What is wrong with it leaves the daemon as it was.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a log-level -d 'Show what the daemon records, or have it record more or less, on the console and in its files, until it ends.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a reexec -d 'Have the daemon go on as the version that is installed now. Models run on, nobody is turned away.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a install-unit -d 'Write the units for systemd. What somebody has changed is never overwritten.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon' -a status -d 'Show the daemon and its services. Exit 3 when none runs.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/run' -l check -d 'Only say whether it could start.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/run' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/start' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /daemon/stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/stop' -l keep-models -d 'Leave the models running, for the next daemon.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/stop' -l no-keep-models -d 'The opposite of --keep-models.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/stop' -l left-behind -d 'Stop what a daemon that is gone has left running instead; as root, the system service\'s too.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /daemon/restart' -l timeout -x -d 'Wait no longer than this for its end.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/restart' -l keep-models -d 'Leave the models running meanwhile.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/restart' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/log-level -a $__llamactl_count -eq 0' -a 'debug info warn error'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /daemon/reexec' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/install-unit' -l user -d 'For this user, not for the system.'
complete -c llamactl -n 'test "$__llamactl_place" = /daemon/install-unit' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n 'test "$__llamactl_place" = /metrics' -a show -d 'Show what was measured last.'
complete -c llamactl -n 'test "$__llamactl_place" = /metrics' -a history -d 'Show what was measured before. What is older is thinned out: a row is a mean then.'
complete -c llamactl -n 'test "$__llamactl_place" = /metrics' -a export -d 'Write what was measured, for other programs: all of it, if nobody says of what.'
complete -c llamactl -n 'test "$__llamactl_place" = /metrics' -a dashboard -d 'Write a dashboard for Grafana, to be imported there.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/history' -l since -x -d 'How far to go back.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/history' -l step -x -d 'One row for each.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/history' -l model -x -a '(__llamactl_names model alias)' -d 'Of a model.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/history' -l gpu -x -d 'Of a GPU, like CUDA0.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/history' -l metric -x -d 'Only this; may be given again.'
complete -c llamactl -n 'test "$__llamactl_place" = /metrics/history' -l plot -d 'Draw it.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l format -x -a 'csv json prom' -d 'prom: what there is now.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l since -x -d 'How far to go back.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l step -x -d 'One row for each.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l model -x -a '(__llamactl_names model alias)' -d 'Of a model.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l gpu -x -d 'Of a GPU, like CUDA0.'
complete -c llamactl -n '__llamactl_walk; test "$__llamactl_place" = /metrics/export' -l metric -x -d 'Only this; may be given again.'
complete -c llamactl -n 'test "$__llamactl_place" = /db' -a check -d 'Look whether the database is sound. Exit 1 when it is not.'
complete -c llamactl -n 'test "$__llamactl_place" = /db' -a backup -d 'Copy the database, also while the daemon writes.'
complete -c llamactl -n 'test "$__llamactl_place" = /db' -a vacuum -d 'Give back the space that is free inside the database.'
complete -c llamactl -n 'test "$__llamactl_place" = /db/check' -l quick -d 'Do not compare the indexes with the tables.'
complete -c llamactl -n 'test "$__llamactl_place" = /db/backup' -l force -d 'Replace it if it is there; so does -y.'
complete -c llamactl -n 'test "$__llamactl_place" = /db/backup -a $__llamactl_count -eq 0' -F
complete -c llamactl -n '__llamactl_walk; and false' -a ''
