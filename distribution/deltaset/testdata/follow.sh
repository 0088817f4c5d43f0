#!/bin/sh
# follow.sh ADDRESS PUBLIC-KEY FOLDER: brings FOLDER/state/keys up to what is published at ADDRESS.
set -eu
address=$1 key=$(realpath "$2")
mkdir -p "$3/new" && cd "$3"
get() { curl -fsS --compressed --create-dirs -o "new/$1" "$address/$1"; }
value() { sed -n "s/^# $1: //p" new/SHA256SUMS; }
rm -rf new state.new
mine=$(cat state/newest 2>/dev/null || echo none)
get latest
[ "$(cat new/latest)" != "$mine" ] || exit 0
get SHA256SUMS; get SHA256SUMS.sig
openssl dgst -sha256 -verify "$key" -signature new/SHA256SUMS.sig new/SHA256SUMS >/dev/null
newest=$(value newest) first=$((($(value newest) + 1) * $(value interval) / 86400 - $(value days) + 1))
[ "$mine" = none ] || [ "$newest" -ge "$mine" ] || { echo "the delta set went back" >&2; exit 1; }
start=$mine
for n in $([ "$mine" = none ] || seq $((mine + 1)) "$newest"); do
    grep -q "  exposures/$n\$" new/SHA256SUMS || mine=none # one was missed: begin with the snapshot
done
[ "$mine" != none ] || { start=$(value snapshot); get "snapshot/$start"; }
for n in $(seq $((start + 1)) "$newest"); do get "retractions/$n"; get "exposures/$n"; done
(cd new && sha256sum -c --ignore-missing --strict --quiet SHA256SUMS)
mkdir state.new
awk -v first="$first" 'FILENAME ~ /retractions/ { delete line[$1]; next } { line[$1] = $0; day[$1] = $2 }
    END { for (k in line) if (day[k] >= first) print line[k] }' \
    $([ "$mine" = none ] && echo "new/snapshot/$start" || echo state/keys) \
    $(for n in $(seq $((start + 1)) "$newest"); do echo "new/retractions/$n" "new/exposures/$n"; done) | sort >state.new/keys
echo "$newest" >state.new/newest
rm -rf state && mv state.new state
