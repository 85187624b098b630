#!/bin/sh
# boot.sh user NAME: systemd --user with processes, mounts and control groups of its own, until it is killed.
# boot.sh system NAME DIRECTORY…: systemd as that of a system, which has /etc, /run, /tmp, /var and a network of its
#     own, too, and where every user can reach these directories.
# The control group NAME below our own, in each hierarchy, is what it takes for the root; whoever kills it removes them.
set -eu

# MOUNT:GROUP of each hierarchy that systemd uses: that of version 2, and the one with its name; in a system, all.
hierarchies() {
    while IFS=: read -r _ name group; do
        case "$1:$name" in
        *:) awk -v group="$group" '$3 == "cgroup2" { print $2 ":" $2 group }' /proc/self/mounts ;;
        *:name=systemd | system:*)
            awk -v name=",$name," -v group="$group" \
                '$3 == "cgroup" && index("," $4 ",", name) { print $2 ":" $2 group }' /proc/self/mounts
            ;;
        esac
    done </proc/self/cgroup
}

# Nothing is in the first directory of these but what lies in the directory itself, so no parent can be closed.
reachable() {
    for each; do
        top=/$(echo "$each" | cut -d/ -f2)
        if ! [ -d "/run/in$top" ]; then
            mkdir -p "/run/in$top"
            mount -t tmpfs -o mode=755 tmpfs "/run/in$top"
        fi
        mkdir -p "/run/in$each"
        mount --rbind "$each" "/run/in$each"
    done
    for each in /run/in/*; do
        mount --move "$each" "/${each##*/}"
    done
}

case "$1" in
inside)
    manager=$2
    for each in $3; do
        mount --bind "${each#*:}" "${each%%:*}"
    done
    shift 3
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/systemd/system
    if [ "$manager" = user ]; then
        /lib/systemd/systemd --user --log-target=console --log-level=notice &
        wait # a systemd that is process 1 would be that of a system
        exit
    fi
    mount -o bind,ro /proc/sys /proc/sys # it would raise limits of the machine
    mkdir -p /run/in/tmp
    mount -t tmpfs -o mode=1777 tmpfs /run/in/tmp
    reachable "$@"
    cp -a /etc /run/etc
    mount --bind /run/etc /etc
    mount -t tmpfs -o mode=755 tmpfs /var
    mkdir /run/units /var/cache /var/lib /var/log
    mkdir -m 1777 /var/tmp
    # No services but ours.
    ln -s /lib/systemd/system/*.target /run/units
    exec env -i container=tests "PATH=$PATH" SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units \
        /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=null
    ;;
*)
    manager=$1 name=$2
    shift 2
    groups=
    for each in $(hierarchies "$manager"); do
        group=${each#*:}/$name
        mkdir "$group"
        case "$each" in
        */cpuset:*) # version 1 lets nobody in without these
            cat "${each#*:}/cpuset.cpus" >"$group/cpuset.cpus"
            cat "${each#*:}/cpuset.mems" >"$group/cpuset.mems"
            ;;
        esac
        echo $$ >"$group/cgroup.procs"
        groups="$groups ${each%%:*}:$group"
    done
    case "$manager" in
    system) spaces="--net --uts --ipc" ;;
    user) [ "$(id -u)" = 0 ] && spaces= || spaces="--user --map-root-user" ;;
    esac
    # shellcheck disable=SC2086 # words
    exec unshare $spaces --fork --kill-child --pid --mount-proc --mount --cgroup "$0" inside "$manager" "$groups" "$@"
    ;;
esac
