# bash completion for llamactl and llamactld                    -*- shell-script -*-
# Written by python -m llamactl.cli.documents; change llamactl/cli instead.

_llamactl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local place='' word='' skip='' ended='' options='' words='' files=''
    [[ ${COMP_WORDS[0]##*/} == llamactld ]] && place=/daemon/run
    COMPREPLY=()
    # bash cuts --output=json into three words.
    if [[ $current == = ]]; then
        current=''
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ -n $skip ]]; then
            [[ $word == = ]] || skip=''
            continue
        fi
        case $word in
            --) ended=yes; break ;;
            --color|--config|--drain|--host|--lines|--max-tokens|--model|--name|--output|--prompt|--system|--timeout|-H|-n|-o) skip=yes; continue ;;
            -*|=) continue ;;
        esac
        case $place/$word in
            /load) place=/start ;;
            /unload) place=/stop ;;
            /models/list) place=/models/ls ;;
            /models/remove) place=/models/rm ;;
            /quickstart|/chat|/ps|/start|/stop|/logs|/version|/models|/models/ls|/models/add|/models/scan|/models/rm|/models/show|/models/set|/models/unset|/models/rename|/models/clone|/models/command|/config|/config/show|/config/get|/config/set|/config/unset|/config/path|/config/validate|/config/edit|/config/import|/daemon|/daemon/run|/daemon/start|/daemon/stop|/daemon/reexec|/daemon/status|/db|/db/check|/db/backup|/db/vacuum) place+=/$word ;;
        esac
    done
    if [[ -n $skip ]]; then
        case $previous in
            -o|--output) words='table wide json jsonl name' ;;
            --color) words='auto always never' ;;
            --config) files=yes ;;
            --model) files=yes ;;
        esac
    else
        case $place in
            '')
                words='quickstart chat ps start stop logs version models config daemon db'
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
                options='--all --wait --no-wait --timeout'
                ;;
            /stop)
                options='--all --drain --force --timeout'
                ;;
            /logs)
                options='-f --follow -n --lines --previous'
                ;;
            /models)
                words='ls add scan rm show set unset rename clone command'
                ;;
            /models/add)
                options='--name'
                files=yes
                ;;
            /models/scan)
                files=directories
                ;;
            /config)
                words='show get set unset path validate edit import'
                ;;
            /config/show)
                options='--origin'
                ;;
            /config/validate)
                files=yes
                ;;
            /config/import)
                options='--dry-run'
                files=yes
                ;;
            /daemon)
                words='run start stop reexec status'
                ;;
            /daemon/run)
                options='--check'
                ;;
            /daemon/stop)
                options='--timeout --keep-models --no-keep-models'
                ;;
            /daemon/reexec)
                options='--timeout'
                ;;
            /db)
                words='check backup vacuum'
                ;;
            /db/check)
                options='--quick'
                ;;
            /db/backup)
                files=yes
                ;;
        esac
        if [[ $current == -* && -z $ended ]]; then
            words="$options -H --host -o --output --json -q --quiet -v --verbose --color --config -y --yes --version -h --help" files=''
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
