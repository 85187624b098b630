"""How shells read the daemon's file of names: that of the daemon which the command line would ask."""

from llamactl.config.sockets import CONTROL, SYSTEM

FILE = "names"

IN_BASH_AND_ZSH = f"""\
# Adds the names of these kinds to $offers.
_llamactl_names() {{
    local kinds=" $* " place='' kind='' name=''
    case ${{LLAMACTL_HOST-}} in
        http://*|https://*) return ;;
        ?*) place=${{LLAMACTL_HOST#unix://}} && set -- "${{place%/*}}" ;;
        *)
            if [[ ${{XDG_RUNTIME_DIR-}} == /* ]]; then
                set -- "$XDG_RUNTIME_DIR/llamactl" {SYSTEM}
            else
                for place in "${{TMPDIR-}}" "${{TEMP-}}" "${{TMP-}}" /tmp; do
                    [[ $place == /* && -d $place ]] && break
                done
                set -- "$place/llamactl-$UID" {SYSTEM}
                [[ -O $1 ]] || shift
            fi
            ;;
    esac
    # A daemon that runs goes before one that has left its names.
    for place in "$@" "$1"; do
        [[ -S $place/{CONTROL} ]] && break
    done
    [[ -f $place/{FILE} && -r $place/{FILE} ]] || return
    while IFS=$'\\t' read -r kind name; do
        [[ $kinds == *" $kind "* ]] && offers+=("$name")
    done < "$place/{FILE}"
}}
"""

IN_FISH = f"""\
# The names of these kinds.
function __llamactl_names
    set -l places
    switch "$LLAMACTL_HOST"
        case 'http://*' 'https://*'
            return
        case '?*'
            set places (string replace -r '/[^/]*$' '' -- (string replace -r '^unix://' '' -- $LLAMACTL_HOST))
        case '*'
            set places {SYSTEM}
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
        test -S "$place/{CONTROL}"; and break
    end
    test -f "$place/{FILE}" -a -r "$place/{FILE}"
    and string replace -rf '^('(string join '|' -- $argv)')\\t' '' < "$place/{FILE}"
end
"""
