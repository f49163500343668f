#!/bin/bash
# Shows what a push would change, or pushes.
#
# usage: bridges.sh plan|push
#
# To the bridges in $SDFW_INVENTORY, or to those of $SDFW_BRIDGE_OPTIONS; in
# both, options are separated by blanks.  Exit status: 0, also if there is
# something to change; otherwise that of sdfw.

# shellcheck source=integration/ci/settings.sh
. "$(dirname "$0")/settings.sh"

# Splits by blanks and lines, and expands nothing.
read -r -d '' -a bridges <<<"${SDFW_BRIDGE_OPTIONS-}" || true
read -r -d '' -a push <<<"${SDFW_PUSH_OPTIONS-}" || true
[ -z "${SDFW_INVENTORY-}" ] || bridges+=(--inventory "$SDFW_INVENTORY")
if [ ${#bridges[@]} = 0 ]; then
    echo "bridges.sh: which bridges? set SDFW_BRIDGE_OPTIONS, such as" \
         "\"--bridge br0\", or SDFW_INVENTORY" >&2
    exit 64
fi

status=0
case ${1-} in
    plan) new_report plan.txt
          "$sdfw" plan "${bridges[@]}" -- "$topology" \
              | tee -- "$report" || status=$?
          [ $status != 2 ] || status=0 ;;
    push) "$sdfw" push "${bridges[@]}" "${push[@]}" -- "$topology" \
              || status=$? ;;
    *) echo "usage: bridges.sh plan|push" >&2
       status=64 ;;
esac
exit $status
