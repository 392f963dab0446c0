#!/bin/sh
# timeout: 120
# scripts/suite.sbatch on a Slurm of one node that lives in a folder of its own and ends with this test.
set -eu
for tool in munged slurmctld slurmd sbatch scontrol; do
    PATH=$PATH:/usr/sbin command -v $tool >/dev/null || { echo "skipped: $tool is not installed (slurm-wlm)"; exit 77; }
done
PATH=$PATH:/usr/sbin
work=$(mktemp -d)
pids=
finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for pid in $pids; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT
fail() { echo "$1"; tail -n 15 "$work"/*.log 2>/dev/null; exit 1; }
# until SECONDS COMMAND...: true as soon as the command is.
until_true() {
    left=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.2
    done
}

chmod 755 "$work"
mkdir "$work/munge" "$work/state" "$work/spool" "$work/tmp"
chmod 700 "$work/munge" "$work/spool"
head -c 1024 /dev/urandom >"$work/munge/key"
chmod 400 "$work/munge/key"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge.socket" --pid-file="$work/munge/pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed" >"$work/munged.log" 2>&1 &
pids="$pids $!"
until_true 10 test -S "$work/munge.socket" || { echo 'skipped: munged does not start here'; exit 77; }

# Ports that nobody listens on now.
ports=$(python3 -c 'import socket
held = [socket.socket() for _ in range(2)]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
host=$(hostname -s)
cat >"$work/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/ctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
export SLURM_CONF="$work/slurm.conf"
slurmctld -D >"$work/slurmctld.log" 2>&1 &
pids="$! $pids"
slurmd -D -N "$host" >"$work/slurmd.log" 2>&1 &
pids="$! $pids"
until_true 30 sh -c 'sinfo -h -o %t | grep -q idle' || {
    tail -n 3 "$work"/slurm*.log
    echo 'skipped: no Slurm node comes up here'
    exit 77
}

# A node's command that takes no time: it shows the committed run as its own.
export TMPDIR="$work/tmp" MERGED="$work/merged"
export SUITE='cp -r results/reference results/run && ln -sfn run results/latest'
sbatch --wait --chdir="$PWD" --output="$work/job.log" scripts/suite.sbatch >"$work/sbatch.log" 2>&1 ||
    fail 'the job failed'
[ "$(find "$work/merged" -name rows.jsonl | wc -l)" = 1 ] || fail 'there is not one merged run'
find "$work/merged" -name rows.jsonl | grep -q "/$host-[0-9TZ]*/" || fail 'the run is not named after its node'
grep -q "1 runs: $host-" "$work/job.log" || fail 'the job does not list what was merged'
[ -z "$(ls "$work/tmp")" ] || fail 'the node left its copy behind'
squeue -h | grep -q . && fail 'a job is still there'
exit 0
