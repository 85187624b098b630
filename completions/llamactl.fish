# fish completion for llamactl and llamactld
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

function __llamactl_settings
    printf '%s\n' server_path model_url docker_repo hf_repo hf_repo_draft hf_file hf_token one_shot_preset ctx_size predict batch_size ubatch_size n_parallel cont_batching threads threads_batch cpu_mask cpu_range cpu_strict cpu_mask_batch cpu_range_batch cpu_strict_batch priority priority_batch keep tags ttl pinned temperature top_k top_p min_p top_nsigma xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breaker dynatemp_range dynatemp_exp mirostat mirostat_lr mirostat_ent samplers sampler_seq seed grammar grammar_file json_schema json_schema_file ignore_eos escape rope_scaling_type rope_scale rope_freq_base rope_freq_scale yarn_orig_ctx yarn_ext_factor yarn_attn_factor yarn_beta_slow yarn_beta_fast flash_attn logit_bias adaptive_target adaptive_decay backend_sampling reverse_prompt cache_ram cache_type_k cache_type_v load_mode mmap mlock direct_io numa device gpu_layers split_mode tensor_split main_gpu kv_offload repack no_host swa_full override_tensor cpu_moe n_cpu_moe kv_unified pooling context_shift rpc offline override_kv op_offload fit fit_target fit_ctx check_tensors sleep_idle_seconds polling polling_batch reasoning_format reasoning_budget custom_params reasoning reasoning_effort reasoning_budget_message reasoning_preserve skip_chat_parsing special embd_normalize perf lora lora_scaled control_vector control_vector_scaled control_vector_layer_range model_draft threads_draft threads_batch_draft draft_max draft_min draft_p_min cache_type_k_draft cache_type_v_draft cpu_moe_draft n_cpu_moe_draft n_gpu_layers_draft device_draft lora_init_without_apply spec_type spec_default spec_draft_p_split spec_draft_backend_sampling spec_draft_override_tensor spec_draft_cpu_mask spec_draft_cpu_range spec_draft_cpu_strict spec_draft_prio spec_draft_poll spec_draft_cpu_mask_batch spec_draft_cpu_strict_batch spec_draft_prio_batch spec_draft_poll_batch spec_ngram_mod_n_min spec_ngram_mod_n_max spec_ngram_mod_n_match spec_ngram_simple_size_n spec_ngram_simple_size_m spec_ngram_simple_min_hits spec_ngram_map_k_size_n spec_ngram_map_k_size_m spec_ngram_map_k_min_hits spec_ngram_map_k4v_size_n spec_ngram_map_k4v_size_m spec_ngram_map_k4v_min_hits lookup_cache_static lookup_cache_dynamic mmproj mmproj_url mmproj_auto mmproj_offload image_min_tokens image_max_tokens mtmd_batch_max_tokens webui webui_config_file no_webui embeddings reranking api_key timeout threads_http cache_reuse metrics_enabled props_enabled slots_enabled slot_save_path media_path jinja chat_template chat_template_file chat_template_kwargs prefill_assistant ctx_checkpoints warmup spm_infill log_disable log_file log_colors log_verbose log_prefix log_timestamps verbosity log_prompts_dir checkpoint_min_step cache_prompt cache_idle_slots slot_prompt_similarity sse_ping_interval reuse_port cors_origins cors_methods cors_headers cors_credentials ui_config ui_mcp_proxy tools tools_runtime mcp_servers_config mcp_servers_json agent
end

function __llamactl_assignments
    printf '%s\n' server_path= model_url= docker_repo= hf_repo= hf_repo_draft= hf_file= hf_token= one_shot_preset= ctx_size= predict= batch_size= ubatch_size= n_parallel= cont_batching= threads= threads_batch= cpu_mask= cpu_range= cpu_strict= cpu_mask_batch= cpu_range_batch= cpu_strict_batch= priority= priority_batch= keep= tags= ttl= pinned= temperature= top_k= top_p= min_p= top_nsigma= xtc_probability= xtc_threshold= typical_p= repeat_last_n= repeat_penalty= presence_penalty= frequency_penalty= dry_multiplier= dry_base= dry_allowed_length= dry_penalty_last_n= dry_sequence_breaker= dynatemp_range= dynatemp_exp= mirostat= mirostat_lr= mirostat_ent= samplers= sampler_seq= seed= grammar= grammar_file= json_schema= json_schema_file= ignore_eos= escape= rope_scaling_type= rope_scale= rope_freq_base= rope_freq_scale= yarn_orig_ctx= yarn_ext_factor= yarn_attn_factor= yarn_beta_slow= yarn_beta_fast= flash_attn= logit_bias= adaptive_target= adaptive_decay= backend_sampling= reverse_prompt= cache_ram= cache_type_k= cache_type_v= load_mode= mmap= mlock= direct_io= numa= device= gpu_layers= split_mode= tensor_split= main_gpu= kv_offload= repack= no_host= swa_full= override_tensor= cpu_moe= n_cpu_moe= kv_unified= pooling= context_shift= rpc= offline= override_kv= op_offload= fit= fit_target= fit_ctx= check_tensors= sleep_idle_seconds= polling= polling_batch= reasoning_format= reasoning_budget= custom_params= reasoning= reasoning_effort= reasoning_budget_message= reasoning_preserve= skip_chat_parsing= special= embd_normalize= perf= lora= lora_scaled= control_vector= control_vector_scaled= control_vector_layer_range= model_draft= threads_draft= threads_batch_draft= draft_max= draft_min= draft_p_min= cache_type_k_draft= cache_type_v_draft= cpu_moe_draft= n_cpu_moe_draft= n_gpu_layers_draft= device_draft= lora_init_without_apply= spec_type= spec_default= spec_draft_p_split= spec_draft_backend_sampling= spec_draft_override_tensor= spec_draft_cpu_mask= spec_draft_cpu_range= spec_draft_cpu_strict= spec_draft_prio= spec_draft_poll= spec_draft_cpu_mask_batch= spec_draft_cpu_strict_batch= spec_draft_prio_batch= spec_draft_poll_batch= spec_ngram_mod_n_min= spec_ngram_mod_n_max= spec_ngram_mod_n_match= spec_ngram_simple_size_n= spec_ngram_simple_size_m= spec_ngram_simple_min_hits= spec_ngram_map_k_size_n= spec_ngram_map_k_size_m= spec_ngram_map_k_min_hits= spec_ngram_map_k4v_size_n= spec_ngram_map_k4v_size_m= spec_ngram_map_k4v_min_hits= lookup_cache_static= lookup_cache_dynamic= mmproj= mmproj_url= mmproj_auto= mmproj_offload= image_min_tokens= image_max_tokens= mtmd_batch_max_tokens= webui= webui_config_file= no_webui= embeddings= reranking= api_key= timeout= threads_http= cache_reuse= metrics_enabled= props_enabled= slots_enabled= slot_save_path= media_path= jinja= chat_template= chat_template_file= chat_template_kwargs= prefill_assistant= ctx_checkpoints= warmup= spm_infill= log_disable= log_file= log_colors= log_verbose= log_prefix= log_timestamps= verbosity= log_prompts_dir= checkpoint_min_step= cache_prompt= cache_idle_slots= slot_prompt_similarity= sse_ping_interval= reuse_port= cors_origins= cors_methods= cors_headers= cors_credentials= ui_config= ui_mcp_proxy= tools= tools_runtime= mcp_servers_config= mcp_servers_json= agent=
    for name in one_shot_preset
        printf '%s\n' $name={embd-gemma-default,fim-qwen-1.5b-default,fim-qwen-3b-default,fim-qwen-7b-default,fim-qwen-7b-spec,fim-qwen-14b-spec,fim-qwen-30b-default,gpt-oss-20b-default,gpt-oss-120b-default,vision-gemma-4b-default,vision-gemma-12b-default}
    end
    for name in cont_batching cpu_strict cpu_strict_batch pinned ignore_eos escape backend_sampling mmap mlock direct_io kv_offload repack no_host swa_full cpu_moe kv_unified context_shift offline op_offload fit check_tensors polling_batch reasoning_preserve skip_chat_parsing special perf cpu_moe_draft lora_init_without_apply spec_default spec_draft_backend_sampling spec_draft_cpu_strict spec_draft_poll spec_draft_cpu_strict_batch spec_draft_poll_batch mmproj_auto mmproj_offload webui no_webui embeddings reranking metrics_enabled props_enabled slots_enabled jinja prefill_assistant warmup spm_infill log_disable log_verbose log_prefix log_timestamps cache_prompt cache_idle_slots reuse_port cors_credentials ui_mcp_proxy agent
        printf '%s\n' $name={on,off}
    end
    for name in rope_scaling_type
        printf '%s\n' $name={none,linear,yarn}
    end
    for name in flash_attn reasoning log_colors
        printf '%s\n' $name={on,off,auto}
    end
    for name in cache_type_k cache_type_v cache_type_k_draft cache_type_v_draft
        printf '%s\n' $name={f32,f16,bf16,q8_0,q4_0,q4_1,iq4_nl,q5_0,q5_1}
    end
    for name in load_mode
        printf '%s\n' $name={auto,none,mmap,mlock,mmap+mlock,dio}
    end
    for name in numa
        printf '%s\n' $name={distribute,isolate,numactl}
    end
    for name in split_mode
        printf '%s\n' $name={none,layer,row,tensor}
    end
    for name in pooling
        printf '%s\n' $name={none,mean,cls,last,rank}
    end
    for name in reasoning_format
        printf '%s\n' $name={none,deepseek,deepseek-legacy,auto}
    end
end

# Is the line at this command?
function __llamactl_at
    set -l place ''
    set -l skip ''
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test -n "$skip"
            set skip ''
            continue
        end
        switch $word
            case --
                break
            case --color --config --ctx --device --drain --expires --for --format --from --gpu --grep --host --key --level --lines --max-tokens --mem --metric --model --name --output --parallel --priority --prompt --rate --scope --since --status --step --strip --system --threads --timeout --ttl --type --until -H -n -o
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
            case /quickstart /chat /status /top /ps /start /stop /restart /pin /unpin /wait /why /logs /events /fit /devices /version /models /models/export /models/import /models/ls /models/add /models/scan /models/rm /models/show /models/set /models/unset /models/rename /models/clone /models/alias /models/verify /models/command /models/defaults /models/defaults/show /models/defaults/set /models/defaults/unset /models/variants /models/variants/ls /models/variants/set /models/variants/unset /models/variants/rm /presets /presets/ls /presets/show /presets/save /presets/set /presets/unset /presets/apply /presets/unapply /presets/rm /presets/export /presets/import /templates /templates/ls /templates/set /templates/unset /templates/default /requests /requests/ls /requests/show /requests/cancel /keys /keys/create /keys/ls /keys/revoke /keys/rotate /rpc /rpc/start /rpc/stop /rpc/ls /rpc/logs /config /config/show /config/get /config/set /config/unset /config/path /config/validate /config/edit /config/import /daemon /daemon/run /daemon/start /daemon/stop /daemon/restart /daemon/reload /daemon/log-level /daemon/reexec /daemon/status /metrics /metrics/show /metrics/history /metrics/export /metrics/dashboard /db /db/check /db/backup /db/vacuum
                set place $place/$word
        end
    end
    test "$place" = "$argv"
end

complete -c llamactl -f
complete -c llamactld -f
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
complete -c llamactl -n '__llamactl_at ' -a quickstart -d 'Set everything up and get a first answer.'
complete -c llamactl -n '__llamactl_at ' -a chat -d 'Ask a model; it is loaded if need be.'
complete -c llamactl -n '__llamactl_at ' -a status -d 'Show machine, GPUs, running models and requests under way, once. Exit 3 when a part of the daemon is not up.'
complete -c llamactl -n '__llamactl_at ' -a top -d 'Show machine, GPUs, models, requests and logs live; keys start and stop models, sort, filter, pause.'
complete -c llamactl -n '__llamactl_at ' -a ps -d 'Show what runs.'
complete -c llamactl -n '__llamactl_at ' -a start -d 'Load models. One that is ready already is a success.'
complete -c llamactl -n '__llamactl_at ' -a stop -d 'Stop models. One that is stopped already is a success.'
complete -c llamactl -n '__llamactl_at ' -a restart -d 'Stop models and load them again, with the settings that they have now.'
complete -c llamactl -n '__llamactl_at ' -a pin -d 'Never evict models once they are loaded. It is kept until they are unpinned.'
complete -c llamactl -n '__llamactl_at ' -a unpin -d 'Models may be evicted again.'
complete -c llamactl -n '__llamactl_at ' -a wait -d 'Return when models are in a state, whoever brings them there.'
complete -c llamactl -n '__llamactl_at ' -a why -d 'Show why a model is as it is: how it ended, when it is started again, what it wrote last.'
complete -c llamactl -n '__llamactl_at ' -a logs -d 'Show what the daemon, or models\' llama-servers, wrote.'
complete -c llamactl -n '__llamactl_at ' -a events -d 'Show what happened, and what happens.'
complete -c llamactl -n '__llamactl_at ' -a fit -d 'Show what memory a model needs, what is free, and what would be stopped for it.'
complete -c llamactl -n '__llamactl_at ' -a devices -d 'Show the host\'s memory and the GPUs that llama-server finds.'
complete -c llamactl -n '__llamactl_at ' -a version -d 'Show the versions of this command and of the daemon.'
complete -c llamactl -n '__llamactl_at ' -a models -d 'The catalogue of models.'
complete -c llamactl -n '__llamactl_at ' -a presets -d 'Named bundles of settings.'
complete -c llamactl -n '__llamactl_at ' -a templates -d 'Chat templates of models.'
complete -c llamactl -n '__llamactl_at ' -a requests -d 'What was asked of models: what is under way, and what has been.'
complete -c llamactl -n '__llamactl_at ' -a keys -d 'Who may use the HTTP port.'
complete -c llamactl -n '__llamactl_at ' -a rpc -d 'Workers: lend this machine to llama-servers on others.'
complete -c llamactl -n '__llamactl_at ' -a config -d 'The configuration file.'
complete -c llamactl -n '__llamactl_at ' -a daemon -d 'The daemon itself.'
complete -c llamactl -n '__llamactl_at ' -a metrics -d 'What was measured, now and before.'
complete -c llamactl -n '__llamactl_at ' -a db -d 'The database.'
complete -c llamactl -n '__llamactl_at /quickstart' -l model -r -F -d 'A GGUF file of your own.'
complete -c llamactl -n '__llamactl_at /quickstart' -l prompt -x -d 'What to ask it.'
complete -c llamactl -n '__llamactl_at /chat' -l system -x -d 'A system prompt.'
complete -c llamactl -n '__llamactl_at /chat' -l max-tokens -x -d 'Tokens of the answer at most.'
complete -c llamactl -n '__llamactl_at /ps' -s a -l all -d 'Those that do not run, too.'
complete -c llamactl -n '__llamactl_at /start' -l all -d 'Every model of the catalogue.'
complete -c llamactl -n '__llamactl_at /start' -l wait -d 'Return when the models are ready.'
complete -c llamactl -n '__llamactl_at /start' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_at /start' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /start' -l ttl -x -d 'How long it stays when idle, this time; -1: for ever.'
complete -c llamactl -n '__llamactl_at /start' -l dry-run -d 'Only say what would be stopped for it.'
complete -c llamactl -n '__llamactl_at /stop' -l all -d 'Every model of the catalogue.'
complete -c llamactl -n '__llamactl_at /stop' -l wait -d 'Return when the models are gone.'
complete -c llamactl -n '__llamactl_at /stop' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_at /stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /stop' -l drain -x -d 'Time for requests under way; as configured if not given.'
complete -c llamactl -n '__llamactl_at /stop' -l force -d 'At once: --drain 0.'
complete -c llamactl -n '__llamactl_at /stop' -l dry-run -d 'Only show what would be stopped.'
complete -c llamactl -n '__llamactl_at /restart' -l all -d 'Every model that runs.'
complete -c llamactl -n '__llamactl_at /restart' -l wait -d 'Return when the models are ready again.'
complete -c llamactl -n '__llamactl_at /restart' -l no-wait -d 'The opposite of --wait.'
complete -c llamactl -n '__llamactl_at /restart' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /restart' -l drain -x -d 'Time for requests under way; as configured if not given.'
complete -c llamactl -n '__llamactl_at /restart' -l force -d 'At once: --drain 0.'
complete -c llamactl -n '__llamactl_at /restart' -l dry-run -d 'Only show what would be stopped.'
complete -c llamactl -n '__llamactl_at /wait' -l for -x -a 'ready stopped failed idle' -d 'The state to wait for; idle: ready, with nothing to do.'
complete -c llamactl -n '__llamactl_at /wait' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /logs' -s f -l follow -d 'Go on with what is written from now on.'
complete -c llamactl -n '__llamactl_at /logs' -s n -l lines -x -d 'How many of the last lines. [default: 50; all with --since]'
complete -c llamactl -n '__llamactl_at /logs' -l since -x -d 'From then on: 15m, 10:30, yesterday, a date.'
complete -c llamactl -n '__llamactl_at /logs' -l until -x -d 'Until then.'
complete -c llamactl -n '__llamactl_at /logs' -l level -x -a 'debug info warn error' -d 'Only lines at least that grave.'
complete -c llamactl -n '__llamactl_at /logs' -l grep -x -d 'Only lines in which this is found.'
complete -c llamactl -n '__llamactl_at /logs' -l previous -d 'The run before the last one.'
complete -c llamactl -n '__llamactl_at /events' -s f -l follow -d 'Go on with what happens from now on.'
complete -c llamactl -n '__llamactl_at /events' -l since -x -d 'All after the event with this number; 0: all there are.'
complete -c llamactl -n '__llamactl_at /events' -l type -x -d 'Only these; may be given several times.'
complete -c llamactl -n '__llamactl_at /events' -s n -l lines -x -d 'Without --since: how many of the last.'
complete -c llamactl -n '__llamactl_at /fit' -l ctx -x -d 'With a context of so many tokens.'
complete -c llamactl -n '__llamactl_at /fit' -l parallel -x -d 'With so many slots.'
complete -c llamactl -n '__llamactl_at /fit' -l save -d 'Set what is recommended.'
complete -c llamactl -n '__llamactl_at /models' -a export -d 'Write models with their settings and presets to the standard output, for `models import`.'
complete -c llamactl -n '__llamactl_at /models' -a import -d 'Take models with their settings into the catalogue, all of them or none.'
complete -c llamactl -n '__llamactl_at /models' -a ls -d 'List the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a add -d 'Put a GGUF file into the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a scan -d 'Find GGUF files and put them into the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a rm -d 'Take models out of the catalogue; their files stay. At a terminal it asks first.'
complete -c llamactl -n '__llamactl_at /models' -a show -d 'Show a model with its settings and where each comes from.'
complete -c llamactl -n '__llamactl_at /models' -a set -d 'Change settings of a model; they count from its next start.'
complete -c llamactl -n '__llamactl_at /models' -a unset -d 'Leave settings of a model to what stands behind it, and to llama-server.'
complete -c llamactl -n '__llamactl_at /models' -a rename -d 'Give a stopped model another name.'
complete -c llamactl -n '__llamactl_at /models' -a clone -d 'Make a second model of the same file and settings.'
complete -c llamactl -n '__llamactl_at /models' -a alias -d 'Let a model go by other names as well.'
complete -c llamactl -n '__llamactl_at /models' -a verify -d 'Check that the files of models are there, sound and unchanged, and that their settings would do.'
complete -c llamactl -n '__llamactl_at /models' -a command -d 'Print the command line that a model would be started with.'
complete -c llamactl -n '__llamactl_at /models' -a defaults -d 'Settings of llama-server for every model that has none of its own.'
complete -c llamactl -n '__llamactl_at /models' -a variants -d 'What is done to requests for a model: parameters forced or taken away.'
complete -c llamactl -n '__llamactl_at /models/export' -l format -x -a 'json ini' -d 'ini is what llama.cpp reads.'
complete -c llamactl -n '__llamactl_at /models/import' -l replace -d 'Even if something else is set here.'
complete -c llamactl -n '__llamactl_at /models/import' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n '__llamactl_at /models/import' -F
complete -c llamactl -n '__llamactl_at /models/add' -l name -x -d 'What to call it; else a name is made from the file\'s.'
complete -c llamactl -n '__llamactl_at /models/add' -F
complete -c llamactl -n '__llamactl_at /models/scan' -a '(__fish_complete_directories)'
complete -c llamactl -n '__llamactl_at /models/set' -a '(__llamactl_assignments)'
complete -c llamactl -n '__llamactl_at /models/unset' -a '(__llamactl_settings)'
complete -c llamactl -n '__llamactl_at /models/alias' -l rm -d 'Take these away instead.'
complete -c llamactl -n '__llamactl_at /models/verify' -l deep -d 'Read all of it, where its checksum is known.'
complete -c llamactl -n '__llamactl_at /models/defaults' -a show -d 'Show what counts for a model that sets nothing, and where it comes from.'
complete -c llamactl -n '__llamactl_at /models/defaults' -a set -d 'Change settings of the server, for every model from its next start; others are for presets and the file.'
complete -c llamactl -n '__llamactl_at /models/defaults' -a unset -d 'Leave settings to the configuration file, and to llama-server.'
complete -c llamactl -n '__llamactl_at /models/defaults/set' -a '(__llamactl_assignments)'
complete -c llamactl -n '__llamactl_at /models/defaults/unset' -a '(__llamactl_settings)'
complete -c llamactl -n '__llamactl_at /models/variants' -a ls -d 'List what is done to requests, by model and variant.'
complete -c llamactl -n '__llamactl_at /models/variants' -a set -d 'Give requests these parameters, whatever they say themselves; a variant that is not there is made.'
complete -c llamactl -n '__llamactl_at /models/variants' -a unset -d 'Leave parameters to the requests again.'
complete -c llamactl -n '__llamactl_at /models/variants' -a rm -d 'Take a variant away, or what is done to all other requests for a model.'
complete -c llamactl -n '__llamactl_at /models/variants/set' -l strip -x -d 'Take it away; may be repeated.'
complete -c llamactl -n '__llamactl_at /models/variants/set' -a '(__llamactl_assignments)'
complete -c llamactl -n '__llamactl_at /models/variants/unset' -a '(__llamactl_settings)'
complete -c llamactl -n '__llamactl_at /presets' -a ls -d 'List the presets.'
complete -c llamactl -n '__llamactl_at /presets' -a show -d 'Show a preset: its settings, and the models that it is applied to.'
complete -c llamactl -n '__llamactl_at /presets' -a save -d 'Make a preset of what is set for a model, by itself and by its preset.'
complete -c llamactl -n '__llamactl_at /presets' -a set -d 'Change settings of a preset, or make one; they count for its models from their next start.'
complete -c llamactl -n '__llamactl_at /presets' -a unset -d 'Take settings out of a preset.'
complete -c llamactl -n '__llamactl_at /presets' -a apply -d 'Let a preset count for models, where they set nothing themselves; changes of it count for them too.'
complete -c llamactl -n '__llamactl_at /presets' -a unapply -d 'Let no preset count for models.'
complete -c llamactl -n '__llamactl_at /presets' -a rm -d 'Remove a preset.'
complete -c llamactl -n '__llamactl_at /presets' -a export -d 'Write presets to the standard output, for `presets import`; secrets are left out.'
complete -c llamactl -n '__llamactl_at /presets' -a import -d 'Take in presets, all of them or none.'
complete -c llamactl -n '__llamactl_at /presets/save' -l from -x -d 'The model to take them from.'
complete -c llamactl -n '__llamactl_at /presets/save' -l replace -d 'Even if there is another one of that name.'
complete -c llamactl -n '__llamactl_at /presets/set' -a '(__llamactl_assignments)'
complete -c llamactl -n '__llamactl_at /presets/unset' -a '(__llamactl_settings)'
complete -c llamactl -n '__llamactl_at /presets/rm' -l force -d 'Even if it is applied to models, which lose it.'
complete -c llamactl -n '__llamactl_at /presets/export' -l format -x -a 'json ini' -d 'ini is what llama.cpp reads.'
complete -c llamactl -n '__llamactl_at /presets/import' -l replace -d 'Even if there is another one of that name.'
complete -c llamactl -n '__llamactl_at /presets/import' -F
complete -c llamactl -n '__llamactl_at /templates' -a ls -d 'List the templates that there are, and which model uses which; others use that in their file.'
complete -c llamactl -n '__llamactl_at /templates' -a set -d 'Give a model a chat template; it counts from its next start.'
complete -c llamactl -n '__llamactl_at /templates' -a unset -d 'Leave the chat template of a model to its preset, the defaults, and its file.'
complete -c llamactl -n '__llamactl_at /templates' -a default -d 'Show or set the model of requests that name none.'
complete -c llamactl -n '__llamactl_at /templates/default' -l none -d 'Let there be none.'
complete -c llamactl -n '__llamactl_at /requests' -l model -x -d 'Of this model only.'
complete -c llamactl -n '__llamactl_at /requests' -l since -x -d 'From then on: 10m, 14:30, 2026-01-31.'
complete -c llamactl -n '__llamactl_at /requests' -l key -x -d 'Of this API key only.'
complete -c llamactl -n '__llamactl_at /requests' -l status -x -d 'Answered with this HTTP status only.'
complete -c llamactl -n '__llamactl_at /requests' -s n -l lines -x -d 'How many at most, besides those under way.'
complete -c llamactl -n '__llamactl_at /requests' -s f -l follow -d 'Go on with those that end from now on.'
complete -c llamactl -n '__llamactl_at /requests' -a ls -d 'List requests: those under way, then those that have ended, the newest first.'
complete -c llamactl -n '__llamactl_at /requests' -a show -d 'Show one request.'
complete -c llamactl -n '__llamactl_at /requests' -a cancel -d 'End a request that is under way.'
complete -c llamactl -n '__llamactl_at /requests/ls' -l model -x -d 'Of this model only.'
complete -c llamactl -n '__llamactl_at /requests/ls' -l since -x -d 'From then on: 10m, 14:30, 2026-01-31.'
complete -c llamactl -n '__llamactl_at /requests/ls' -l key -x -d 'Of this API key only.'
complete -c llamactl -n '__llamactl_at /requests/ls' -l status -x -d 'Answered with this HTTP status only.'
complete -c llamactl -n '__llamactl_at /requests/ls' -s n -l lines -x -d 'How many at most, besides those under way.'
complete -c llamactl -n '__llamactl_at /requests/ls' -s f -l follow -d 'Go on with those that end from now on.'
complete -c llamactl -n '__llamactl_at /requests/show' -l body -d 'With both bodies, if requests.capture is set.'
complete -c llamactl -n '__llamactl_at /keys' -a create -d 'Make a key, and show it: this once.'
complete -c llamactl -n '__llamactl_at /keys' -a ls -d 'List the keys; secrets are shown to nobody.'
complete -c llamactl -n '__llamactl_at /keys' -a revoke -d 'Take a key back; it counts no more, at once.'
complete -c llamactl -n '__llamactl_at /keys' -a rotate -d 'Give a key another secret, and show it: this once. The old one counts no more.'
complete -c llamactl -n '__llamactl_at /keys/create' -l scope -x -d 'What it may do, with all that comes before; infer unless said.'
complete -c llamactl -n '__llamactl_at /keys/create' -l model -x -d 'Only these models; globs.'
complete -c llamactl -n '__llamactl_at /keys/create' -l expires -x -d 'When it ends: in 30d, 12h, or on 2030-01-31[T12:00].'
complete -c llamactl -n '__llamactl_at /keys/create' -l rate -x -d 'Requests that it may send; also N/s, N/h.'
complete -c llamactl -n '__llamactl_at /keys/create' -l parallel -x -d 'Requests at once; 0 is no limit.'
complete -c llamactl -n '__llamactl_at /keys/create' -l priority -x -d 'Who waits goes before those with a lower one.'
complete -c llamactl -n '__llamactl_at /keys/ls' -s a -l all -d 'Those that were revoked, too.'
complete -c llamactl -n '__llamactl_at /rpc' -a start -d 'Start a worker: a model with the setting rpc=HOST:PORT computes with it.'
complete -c llamactl -n '__llamactl_at /rpc' -a stop -d 'Stop workers; models that compute with them fail.'
complete -c llamactl -n '__llamactl_at /rpc' -a ls -d 'List the workers that llamactl runs.'
complete -c llamactl -n '__llamactl_at /rpc' -a logs -d 'Show what a worker wrote, while the daemon runs or not.'
complete -c llamactl -n '__llamactl_at /rpc/start' -l device -x -d 'Lend these devices only.'
complete -c llamactl -n '__llamactl_at /rpc/start' -l mem -x -d 'Lend so much memory; not with every build.'
complete -c llamactl -n '__llamactl_at /rpc/start' -l threads -x -d 'Compute with so many threads.'
complete -c llamactl -n '__llamactl_at /rpc/start' -l cache -d 'Keep what was sent, for the next load.'
complete -c llamactl -n '__llamactl_at /rpc/start' -l insecure -d 'Listen where others can reach it; the protocol has no authentication.'
complete -c llamactl -n '__llamactl_at /rpc/logs' -s f -l follow -d 'Go on with what it writes from now on.'
complete -c llamactl -n '__llamactl_at /rpc/logs' -s n -l lines -x -d 'How many of the last lines.'
complete -c llamactl -n '__llamactl_at /config' -a show -d 'Show every key with its value; those of llama-server that are not set with -v.'
complete -c llamactl -n '__llamactl_at /config' -a get -d 'Show the value of one key, as `set` takes it.'
complete -c llamactl -n '__llamactl_at /config' -a set -d 'Set a key in the file.'
complete -c llamactl -n '__llamactl_at /config' -a unset -d 'Take a key out of the file. One that is not in it is a success.'
complete -c llamactl -n '__llamactl_at /config' -a path -d 'Show where the file is that `set` and `edit` change.'
complete -c llamactl -n '__llamactl_at /config' -a validate -d 'Check the configuration.'
complete -c llamactl -n '__llamactl_at /config' -a edit -d 'Edit the file in $VISUAL or $EDITOR; it is put into its place when it is valid.'
complete -c llamactl -n '__llamactl_at /config' -a import -d 'Take over what another system\'s file says of it.'
complete -c llamactl -n '__llamactl_at /config/show' -l origin -d 'And where each value comes from.'
complete -c llamactl -n '__llamactl_at /config/set' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n '__llamactl_at /config/unset' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n '__llamactl_at /config/validate' -F
complete -c llamactl -n '__llamactl_at /config/edit' -l now -d 'Have the running daemon take it over.'
complete -c llamactl -n '__llamactl_at /config/import' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n '__llamactl_at /config/import' -F
complete -c llamactl -n '__llamactl_at /daemon' -a run -d 'Run the daemon in the foreground.'
complete -c llamactl -n '__llamactl_at /daemon' -a start -d 'Start the daemon in the background.'
complete -c llamactl -n '__llamactl_at /daemon' -a stop -d 'Stop the daemon and every model it runs.'
complete -c llamactl -n '__llamactl_at /daemon' -a restart -d 'Stop the daemon and every model it runs, and start it again.'
complete -c llamactl -n '__llamactl_at /daemon' -a reload -d 'Have the daemon read its configuration again. What is wrong with it leaves the daemon as it was.'
complete -c llamactl -n '__llamactl_at /daemon' -a log-level -d 'Show what the daemon records, or have it record more or less, on the console and in its files, until it ends.'
complete -c llamactl -n '__llamactl_at /daemon' -a reexec -d 'Have the daemon go on as the version that is installed now. Models run on, nobody is turned away.'
complete -c llamactl -n '__llamactl_at /daemon' -a status -d 'Show the daemon and its services. Exit 3 when none runs.'
complete -c llamactl -n '__llamactl_at /daemon/run' -l check -d 'Only say whether it could start.'
complete -c llamactl -n '__llamactl_at /daemon/run' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n '__llamactl_at /daemon/start' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l keep-models -d 'Leave the models running, for the next daemon.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l no-keep-models -d 'The opposite of --keep-models.'
complete -c llamactl -n '__llamactl_at /daemon/restart' -l timeout -x -d 'Wait no longer than this for its end.'
complete -c llamactl -n '__llamactl_at /daemon/restart' -l keep-models -d 'Leave the models running meanwhile.'
complete -c llamactl -n '__llamactl_at /daemon/restart' -l insecure -d 'Listen beyond loopback without keys and TLS, as access.insecure does.'
complete -c llamactl -n '__llamactl_at /daemon/reexec' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /metrics' -a show -d 'Show what was measured last.'
complete -c llamactl -n '__llamactl_at /metrics' -a history -d 'Show what was measured before. What is older is thinned out: a row is a mean then.'
complete -c llamactl -n '__llamactl_at /metrics' -a export -d 'Write what was measured, for other programs: all of it, if nobody says of what.'
complete -c llamactl -n '__llamactl_at /metrics' -a dashboard -d 'Write a dashboard for Grafana, to be imported there.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l since -x -d 'How far to go back.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l step -x -d 'One row for each.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l model -x -d 'Of a model.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l gpu -x -d 'Of a GPU, like CUDA0.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l metric -x -d 'Only this; may be given again.'
complete -c llamactl -n '__llamactl_at /metrics/history' -l plot -d 'Draw it.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l format -x -a 'csv json prom' -d 'prom: what there is now.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l since -x -d 'How far to go back.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l step -x -d 'One row for each.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l model -x -d 'Of a model.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l gpu -x -d 'Of a GPU, like CUDA0.'
complete -c llamactl -n '__llamactl_at /metrics/export' -l metric -x -d 'Only this; may be given again.'
complete -c llamactl -n '__llamactl_at /db' -a check -d 'Look whether the database is sound. Exit 1 when it is not.'
complete -c llamactl -n '__llamactl_at /db' -a backup -d 'Copy the database, also while the daemon writes.'
complete -c llamactl -n '__llamactl_at /db' -a vacuum -d 'Give back the space that is free inside the database.'
complete -c llamactl -n '__llamactl_at /db/check' -l quick -d 'Do not compare the indexes with the tables.'
complete -c llamactl -n '__llamactl_at /db/backup' -l force -d 'Replace it if it is there; so does -y.'
complete -c llamactl -n '__llamactl_at /db/backup' -F
