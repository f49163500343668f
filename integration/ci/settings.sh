# What the scripts of a pipeline share; each of them reads this first.
#
# Settings, by environment:
#   SDFW_TOPOLOGY        manifest or directory of manifests (default: policy)
#   SDFW_FORMAT          of reports: junit (default) or sarif
#   SDFW_BASE            the commit that diff.sh compares with (default: main)
#   SDFW_BRIDGE_OPTIONS  options of plan and push, such as "--bridge br0"
#   SDFW_PUSH_OPTIONS    options of push alone, such as "--adopt 0"
#   SDFW_INVENTORY       a file of bridges, instead of --bridge
#   SDFW_REPORTS         directory that is written to (default: .sdfw-reports;
#                        sdfw reads no manifest in one that begins with a dot)
#   SDFW                 the command (default: sdfw)
# shellcheck shell=bash
# shellcheck disable=SC2034  # Those who read this use them.

set -euo pipefail
export LC_ALL=C

sdfw=${SDFW:-sdfw}
reports=${SDFW_REPORTS:-.sdfw-reports}
topology=${SDFW_TOPOLOGY:-policy}
# Neither git nor tar nor sdfw may take it for an option.
case $topology in
    /*) echo "${0##*/}: SDFW_TOPOLOGY must lie in the repository," \
             "not at $topology" >&2
        exit 64 ;;
    -*) topology=./$topology ;;
esac

# A link in the repository may not lead what is written elsewhere.
if [ -L "$reports" ]; then
    echo "${0##*/}: $reports is a link; set SDFW_REPORTS to another name" >&2
    exit 1
fi
mkdir -p -- "$reports"

# What sdfw prints has names of files in it, and GitHub takes commands from
# the log: none while a script runs.  Errors go the same way, so that none
# comes before that is said.
resume=
if [ "${GITHUB_ACTIONS-}" = true ]; then
    resume=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    exec 2>&1
    echo "::stop-commands::$resume"
fi
tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"; [ -z "$resume" ] || echo "::$resume::"' EXIT

# new_report NAME: sets $report to the path of a report that is not there yet.
new_report() {
    report=$reports/$1
    rm -f -- "$report"
}
