# fish completion for llamactl and llamactld
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

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
            case --color --config --drain --host --lines --max-tokens --model --name --output --prompt --system --timeout -H -n -o
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
            case /quickstart /chat /ps /start /stop /logs /version /models /models/ls /models/add /models/scan /models/rm /models/show /models/set /models/unset /models/rename /models/clone /models/command /config /config/show /config/get /config/set /config/unset /config/path /config/validate /config/edit /config/import /daemon /daemon/run /daemon/start /daemon/stop /daemon/reexec /daemon/status /db /db/check /db/backup /db/vacuum
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
complete -c llamactl -c llamactld -s y -l yes -d 'Ask nothing.'
complete -c llamactl -c llamactld -l version -d 'Show the version.'
complete -c llamactl -c llamactld -s h -l help -d 'Show what there is to say.'
complete -c llamactl -n '__llamactl_at ' -a quickstart -d 'Set everything up and get a first answer.'
complete -c llamactl -n '__llamactl_at ' -a chat -d 'Ask a model; it is loaded if need be.'
complete -c llamactl -n '__llamactl_at ' -a ps -d 'Show what runs.'
complete -c llamactl -n '__llamactl_at ' -a start -d 'Load models. One that is ready already is a success.'
complete -c llamactl -n '__llamactl_at ' -a stop -d 'Stop models. One that is stopped already is a success.'
complete -c llamactl -n '__llamactl_at ' -a logs -d 'Show what a model\'s llama-server wrote.'
complete -c llamactl -n '__llamactl_at ' -a version -d 'Show the versions of this command and of the daemon.'
complete -c llamactl -n '__llamactl_at ' -a models -d 'The catalogue of models.'
complete -c llamactl -n '__llamactl_at ' -a config -d 'The configuration file.'
complete -c llamactl -n '__llamactl_at ' -a daemon -d 'The daemon itself.'
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
complete -c llamactl -n '__llamactl_at /stop' -l all -d 'Every model of the catalogue.'
complete -c llamactl -n '__llamactl_at /stop' -l drain -x -d 'Time for requests under way; as configured if not given.'
complete -c llamactl -n '__llamactl_at /stop' -l force -d 'At once: --drain 0.'
complete -c llamactl -n '__llamactl_at /stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /logs' -s f -l follow -d 'Go on with what it writes from now on.'
complete -c llamactl -n '__llamactl_at /logs' -s n -l lines -x -d 'How many of the last lines.'
complete -c llamactl -n '__llamactl_at /logs' -l previous -d 'The run before the last one.'
complete -c llamactl -n '__llamactl_at /models' -a ls -d 'List the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a add -d 'Put a GGUF file into the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a scan -d 'Find GGUF files and put them into the catalogue.'
complete -c llamactl -n '__llamactl_at /models' -a rm -d 'Take a model out of the catalogue; its file stays.'
complete -c llamactl -n '__llamactl_at /models' -a show -d 'Show a model with its settings and where each comes from.'
complete -c llamactl -n '__llamactl_at /models' -a set -d 'Change settings of a model; they count from its next start.'
complete -c llamactl -n '__llamactl_at /models' -a unset -d 'Leave settings of a model to what stands behind it, and to llama-server.'
complete -c llamactl -n '__llamactl_at /models' -a rename -d 'Give a stopped model another name.'
complete -c llamactl -n '__llamactl_at /models' -a clone -d 'Make a second model of the same file and settings.'
complete -c llamactl -n '__llamactl_at /models' -a command -d 'Print the command line that a model would be started with.'
complete -c llamactl -n '__llamactl_at /models/add' -l name -x -d 'What to call it; else a name is made from the file\'s.'
complete -c llamactl -n '__llamactl_at /models/add' -F
complete -c llamactl -n '__llamactl_at /models/scan' -a '(__fish_complete_directories)'
complete -c llamactl -n '__llamactl_at /config' -a show -d 'Show every key with its value; those of llama-server that are not set with -v.'
complete -c llamactl -n '__llamactl_at /config' -a get -d 'Show the value of one key, as `set` takes it.'
complete -c llamactl -n '__llamactl_at /config' -a set -d 'Set a key in the file.'
complete -c llamactl -n '__llamactl_at /config' -a unset -d 'Take a key out of the file. One that is not in it is a success.'
complete -c llamactl -n '__llamactl_at /config' -a path -d 'Show where the file is that `set` and `edit` change.'
complete -c llamactl -n '__llamactl_at /config' -a validate -d 'Check the configuration.'
complete -c llamactl -n '__llamactl_at /config' -a edit -d 'Edit the file in $VISUAL or $EDITOR; it is put into its place when it is valid.'
complete -c llamactl -n '__llamactl_at /config' -a import -d 'Take over what another system\'s file says of it.'
complete -c llamactl -n '__llamactl_at /config/show' -l origin -d 'And where each value comes from.'
complete -c llamactl -n '__llamactl_at /config/validate' -F
complete -c llamactl -n '__llamactl_at /config/import' -l dry-run -d 'Only say what would be done.'
complete -c llamactl -n '__llamactl_at /config/import' -F
complete -c llamactl -n '__llamactl_at /daemon' -a run -d 'Run the daemon in the foreground.'
complete -c llamactl -n '__llamactl_at /daemon' -a start -d 'Start the daemon in the background.'
complete -c llamactl -n '__llamactl_at /daemon' -a stop -d 'Stop the daemon and every model it runs.'
complete -c llamactl -n '__llamactl_at /daemon' -a reexec -d 'Have the daemon go on as the version that is installed now. Models run on, nobody is turned away.'
complete -c llamactl -n '__llamactl_at /daemon' -a status -d 'Show the daemon and its services. Exit 3 when none runs.'
complete -c llamactl -n '__llamactl_at /daemon/run' -l check -d 'Only say whether it could start.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l keep-models -d 'Leave the models running, for the next daemon.'
complete -c llamactl -n '__llamactl_at /daemon/stop' -l no-keep-models -d 'The opposite of --keep-models.'
complete -c llamactl -n '__llamactl_at /daemon/reexec' -l timeout -x -d 'Wait no longer than this.'
complete -c llamactl -n '__llamactl_at /db' -a check -d 'Look whether the database is sound. Exit 1 when it is not.'
complete -c llamactl -n '__llamactl_at /db' -a backup -d 'Copy the database, also while the daemon writes.'
complete -c llamactl -n '__llamactl_at /db' -a vacuum -d 'Give back the space that is free inside the database.'
complete -c llamactl -n '__llamactl_at /db/check' -l quick -d 'Do not compare the indexes with the tables.'
complete -c llamactl -n '__llamactl_at /db/backup' -F
