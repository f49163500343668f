#!/bin/bash
# Makes $SDFW_REPORTS/diff.md a comment of the merge request, once: a later run
# changes that comment.
#
# usage: comment.sh
#
# Which merge request, and where, is in the environment of the CI.  The token
# is in GITHUB_TOKEN (which workflows get by "permissions: pull-requests:
# write"), or SDFW_GITLAB_TOKEN (a project access token with scope "api", since
# GitLab's job token may not comment).  Without a token, as for the merge
# request of a fork, there is no comment: the difference is in the log, where
# diff.sh writes it, and in GitHub's summary of the job.
#
# On GitHub only a comment of SDFW_COMMENT_AUTHOR (default:
# github-actions[bot]) is changed; on GitLab, one of the token's owner.

# shellcheck source=integration/ci/settings.sh
. "$(dirname "$0")/settings.sh"

fail() {
    echo "comment.sh: $*" >&2
    exit 1
}

# call METHOD URL [FILE]: sends FILE, and leaves the answer in $tmp/answer.
# The token goes to curl by a pipe, so that no list of processes shows it.
# What may not be done twice is not tried again.
call() {
    local method=$1 url=$2 options=()
    [ "$method" = POST ] || options+=(--retry 3)
    [ $# -lt 3 ] || options+=(--data-binary "@$3")
    printf 'header = "%s"\n' "$authorization" \
        "Content-Type: application/json" \
        | curl -q --config - --silent --show-error --fail-with-body \
               --max-time 30 --proto =https,http --request "$method" \
               --output "$tmp/answer" "${options[@]}" -- "$url" \
        || fail "$method $url: $(head -c 500 "$tmp/answer" 2>/dev/null)"
}

# find_comment LIST OWNER: prints the number of our comment, if there is one.
# OWNER is a test in jq that it is ours.
find_comment() {
    local page=1 n id
    while :; do
        call GET "$1?per_page=100&page=$page"
        id=$(jq -r --arg marker "$marker" --arg author "$author" \
                "first(.[] | select((.body | startswith(\$marker)) and $2)
                       | .id)" "$tmp/answer")
        n=$(jq length "$tmp/answer")
        if [ -n "$id" ] || [ "$n" -lt 100 ]; then
            break
        fi
        page=$((page + 1))
    done
    printf '%s\n' "$id"
}

# Forges refuse what is too long, the smaller one at 65,536 characters.
body() {
    # shellcheck disable=SC2016  # Markdown's.
    printf '%s\n### `%s`: what this changes\n\n' "$marker" \
        "$(printf %s "$topology" | tr '`\n' '__')"
    if [ "$(wc -c <"$reports/diff.md")" -le 60000 ]; then
        cat -- "$reports/diff.md"
    else
        head -c 60000 -- "$reports/diff.md" | sed '$d'
        printf '\n%s\n' "… and more: the log of the job has all of it."
    fi
}

# comment LIST ONE OWNER: writes the comment.  LIST is the URL of all of this
# merge request; ONE/NUMBER, by the method in $edit, changes one.
comment() {
    body >"$tmp/body"
    jq -Rs '{body: .}' "$tmp/body" >"$tmp/request"
    local id
    id=$(find_comment "$1" "$3")
    if [ -n "$id" ]; then
        call "$edit" "$2/$id" "$tmp/request"
        echo "comment.sh: changed comment $id"
    elif [ "$(cat -- "$reports/diff.md")" = "Nothing changes." ]; then
        echo "comment.sh: nothing changes, so there is no comment"
    else
        call POST "$1" "$tmp/request"
        echo "comment.sh: made comment $(jq .id "$tmp/answer")"
    fi
}

[ -e "$reports/diff.md" ] || fail "no $reports/diff.md; diff.sh makes it"
# Two topologies of a repository have two comments.
marker="<!-- sdfw diff of $(jq -rn --arg name "$topology" '$name | @uri') -->"
if [ -n "${GITHUB_API_URL-}" ]; then
    token=${GITHUB_TOKEN-}
else
    token=${SDFW_GITLAB_TOKEN-}
fi
case $token in
    "") if [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
            body >>"$GITHUB_STEP_SUMMARY"
        fi
        echo "comment.sh: no token, so there is no comment"
        exit 0 ;;
    *[!A-Za-z0-9_.=~+/-]*) fail "the token has characters that none has" ;;
esac
if [ -n "${GITHUB_API_URL-}" ]; then
    [[ ${GITHUB_REF-} =~ ^refs/pull/([0-9]+)/ ]] \
        || fail "not a pull request: GITHUB_REF is '${GITHUB_REF-}'"
    issues=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues
    authorization="Authorization: Bearer $token"
    author=${SDFW_COMMENT_AUTHOR:-github-actions[bot]}
    edit=PATCH
    # shellcheck disable=SC2016  # A variable of jq.
    comment "$issues/${BASH_REMATCH[1]}/comments" "$issues/comments" \
        '.user.login == $author'
elif [ -n "${CI_API_V4_URL-}" ]; then
    : "${CI_MERGE_REQUEST_IID:?this is no pipeline of a merge request}"
    project=$CI_API_V4_URL/projects/${CI_MERGE_REQUEST_PROJECT_ID:?}
    notes=$project/merge_requests/$CI_MERGE_REQUEST_IID/notes
    authorization="PRIVATE-TOKEN: $token"
    call GET "$CI_API_V4_URL/user"
    author=$(jq .id "$tmp/answer")
    edit=PUT
    # shellcheck disable=SC2016
    comment "$notes" "$notes" '(.author.id | tostring) == $author'
else
    fail "neither GITHUB_API_URL nor CI_API_V4_URL is set"
fi
