#!/bin/sh
# Trains a model without a break, and once more killed (kill -9) at random moments and resumed: both must end with the
# same bytes.
#   tests/soak/kill_and_resume.sh NNC [KILLS [MODEL [SETTING…]]]
# Exit code 0: the same; 1: they differ; 2: a training failed. Ends with the folder it worked in, which is kept where
# something went wrong.
set -u
nnc=${1:?"usage: $0 NNC [KILLS [MODEL [SETTING…]]]"}
kills=${2:-30}
root=$(cd "$(dirname "$0")/../.." && pwd)
model=${3:-$root/examples/bcnet.nn}
if [ $# -gt 3 ]; then
  shift 3
else
  set -- train.epochs=3000 'train.stop=early("val.bce", patience = 1000000, restore = true)'
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/nnc-soak-XXXXXX")

# Milliseconds below $1.
random_below() { echo $(($(od -An -N2 -tu2 /dev/urandom) * $1 / 65536)); }
done=0
newest() { ls "$1" | sed -n 's/^step-\([0-9]*\)$/\1/p' | sort -n | tail -n 1; }

# Waits for a while that is often too short for a checkpoint, or until one is being written.
wait_for_moment() {
  if [ $((done % 3)) = 0 ]; then
    pause 3000
    return
  fi
  while kill -0 "$child" 2>/dev/null && ! ls -d "$run"/*/step-*.tmp >/dev/null 2>&1; do sleep 0.005; done
  pause 40
}

# Sleeps for less than $1 milliseconds.
pause() {
  milliseconds=$(random_below "$1")
  sleep "$((milliseconds / 1000)).$(printf '%03d' $((milliseconds % 1000)))"
}

# killed ARGUMENTS…: starts nnc and kills it. True if it came to that. The first start gets to a checkpoint.
killed() {
  "$nnc" "$@" >"$work/out" 2>"$work/err" &
  child=$!
  while kill -0 "$child" 2>/dev/null && [ -z "$(newest "$run/last" 2>/dev/null)" ]; do sleep 0.05; done
  wait_for_moment
  kill -9 "$child" 2>/dev/null
  wait "$child" 2>/dev/null
  code=$?
  [ "$code" = 137 ] && return 0
  [ "$code" = 0 ] && return 1
  cat "$work/err"
  echo "nnc ended with exit code $code: $work" >&2
  exit 2
}

"$nnc" train "$model" "$@" --quiet --run-dir "$work/whole" >"$work/out" 2>"$work/err" || {
  cat "$work/err"
  exit 2
}
whole=$(echo "$work"/whole/*)
run=$work/broken/$(basename "$whole")
if killed train "$model" "$@" --quiet --save-every 0 --run-dir "$work/broken"; then
  done=1
  while [ "$done" -lt "$kills" ] && killed resume "$run" --quiet --save-every 0; do
    done=$((done + 1))
    echo "killed $done times, at step $(newest "$run/last")" >&2
  done
  "$nnc" resume "$run" --quiet >"$work/out" 2>"$work/err" || {
    cat "$work/err"
    echo "nnc resume failed: $work" >&2
    exit 2
  }
fi
for folder in last best; do
  step=step-$(newest "$whole/$folder")
  for file in model optimizer; do
    cmp "$whole/$folder/$step/$file.safetensors" "$run/$folder/$step/$file.safetensors" || {
      echo "$folder/$step/$file.safetensors differs after $done kills: $work" >&2
      exit 1
    }
  done
done
echo "the same after $done kills, at step $(newest "$run/last")"
rm -rf "$work"
