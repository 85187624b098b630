#!/bin/sh
# boot.sh NAME: systemd --user with processes, mounts and control groups of its own, until it is killed.
# The control group NAME of each hierarchy is what it takes for the root; whoever kills it removes them.
set -eu

hierarchies() {
    awk '$3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /name=systemd/) { print $2 }' /proc/self/mounts
}

if [ "${2-}" = inside ]; then
    for at in $(hierarchies); do
        mount --bind "$at/$1" "$at"
    done
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/system
    /lib/systemd/systemd --user --log-target=console --log-level=notice &
    wait # a systemd that is process 1 would be that of a system
else
    for at in $(hierarchies); do
        mkdir "$at/$1"
        echo $$ >"$at/$1/cgroup.procs"
    done
    exec unshare --fork --kill-child --pid --mount-proc --mount --cgroup "$0" "$1" inside
fi
