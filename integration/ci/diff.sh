#!/bin/bash
# Says which communication becomes possible, and which stops, since $SDFW_BASE.
#
# usage: diff.sh
#
# The answer is in $SDFW_REPORTS/diff.md, and in the log.  Exit status: 0, also
# if something changes; that of sdfw if the topology is wrong.

# shellcheck source=integration/ci/settings.sh
. "$(dirname "$0")/settings.sh"

base=${SDFW_BASE:-main}
commit=$(git rev-parse --verify --quiet --end-of-options \
             "$base^{commit}") || {
    echo "diff.sh: no commit '$base' here; set SDFW_BASE, and let the CI" \
         "fetch enough of the history" >&2
    exit 1
}

new_report diff.md
# The first manifests of a repository are compared with none.
git --literal-pathspecs ls-tree -rz "$commit" -- "$topology" >"$tmp/list"
if tr '\0\n' '\n\0' <"$tmp/list" | grep -ac '\.xml$' >/dev/null; then
    mkdir "$tmp/old"
    git --literal-pathspecs archive "$commit" -- "$topology" \
        | tar -x -C "$tmp/old" -f -
    before=$tmp/old/$topology
else
    before=$tmp/none.xml
    echo '<manifest xmlns="urn:ovs-sdfw:manifest:1" version="1"/>' >"$before"
fi

# Who puts main right must not be hindered by what is wrong there.
if ! "$sdfw" check --quiet -- "$before"; then
    echo "Cannot be compared: the manifests before this change are wrong." \
        >"$report"
    cat -- "$report"
    exit 0
fi

status=0
"$sdfw" diff --format markdown --quiet -- "$before" "$topology" \
    >"$report" || status=$?
case $status in
    0) echo "Nothing changes." >"$report" ;;
    2) ;;
    *) exit "$status" ;;
esac
cat -- "$report"
