#!/bin/sh
# boot.sh NAME: systemd --user with processes, mounts and control groups of its own, until it is killed.
# The control group NAME below our own, in each hierarchy, is what it takes for the root; whoever kills it removes them.
set -eu

# MOUNT:GROUP of each hierarchy that systemd uses: that of version 2, and the one with its name.
hierarchies() {
    while IFS=: read -r _ name group; do
        case "$name" in
        "") awk -v group="$group" '$3 == "cgroup2" { print $2 ":" $2 group }' /proc/self/mounts ;;
        name=systemd) awk -v group="$group" '$3 == "cgroup" && $4 ~ /name=systemd/ { print $2 ":" $2 group }' /proc/self/mounts ;;
        esac
    done </proc/self/cgroup
}

if [ "$1" = inside ]; then
    shift
    for each; do
        mount --bind "${each#*:}" "${each%%:*}"
    done
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/system
    /lib/systemd/systemd --user --log-target=console --log-level=notice &
    wait # a systemd that is process 1 would be that of a system
else
    groups=
    for each in $(hierarchies); do
        mkdir "${each#*:}/$1"
        echo $$ >"${each#*:}/$1/cgroup.procs"
        groups="$groups $each/$1"
    done
    user=
    [ "$(id -u)" = 0 ] || user="--user --map-root-user"
    # shellcheck disable=SC2086 # words
    exec unshare $user --fork --kill-child --pid --mount-proc --mount --cgroup "$0" inside $groups
fi
