#!/bin/bash
# Says whether the manifests are right, whether their assertions hold, or
# whether their links are known good.
#
# usage: judge.sh check|test|verify
#
# The report is in $SDFW_REPORTS/check.sarif (or test.sarif, check.xml, and so
# on), the same in words in the log.  Exit status: that of sdfw.

# shellcheck source=integration/ci/settings.sh
. "$(dirname "$0")/settings.sh"

case ${1-} in
    check | test | verify) ;;
    *) echo "usage: judge.sh check|test|verify" >&2
       exit 64 ;;
esac
format=${SDFW_FORMAT:-junit}
suffix=$format
[ "$format" != junit ] || suffix=xml
new_report "$1.$suffix"
"$sdfw" "$1" --format "$format" -- "$topology" >"$report"
