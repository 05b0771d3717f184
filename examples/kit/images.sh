# What the builds of the examples share; to be sourced. A build here gets no network: wheels come from the host, checked
# against a lock. Wants ROOT, BASE, PYTHON and PREFIX.

case $(docker version --format '{{.Server.Arch}}') in
  amd64) MACHINE=x86_64 ;;
  arm64) MACHINE=aarch64 ;;
  *) echo "build: this processor has no wheels of scikit-learn" >&2; exit 3 ;;
esac

fetch_wheels() {  # LOCK STAGE: unpacked into STAGE/site, once for each content of the lock
  local lock=$1 stage=$2 platforms=() tag
  cmp -s "$lock" "$stage/site.lock" && return
  for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${tag}_$MACHINE"); done
  rm -rf "$stage"
  mkdir -p "$stage"
  "$PYTHON" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes --only-binary=:all: \
    --implementation cp --python-version 3.11 "${platforms[@]}" --target "$stage/site" -r "$lock"
  # Their own tests are a third of the size, and nobody runs them here.
  find "$stage/site" -depth -type d -name tests -exec rm -rf {} +
  rm -rf "$stage/site/bin"
  chmod -R a+rX "$stage/site"
  cp "$lock" "$stage/site.lock"
}

timed() {  # LABEL COMMAND…
  local label=$1 from=$SECONDS log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then cat "$log" >&2; rm -f "$log"; echo "build: $label failed" >&2; exit 4; fi
  rm -f "$log"
  printf '  %-32s %3d s\n' "$label" $((SECONDS - from))
}

build() {  # NAME CONTEXT DOCKERFILE BASE
  timed "$1" docker build --network none --build-arg "BASE=$4" -t "$PREFIX/$1:1" -f "$3" "$2"
}
