#!/usr/bin/env bash
# Verify that a record was signed with a key, without medperf-git: bash, openssl 3, jq, sha256sum, coreutils.
# KEY.pub holds the line `ssh-ed25519 AAAA…` of the member record (or a PEM public key): get it from where you trust it.
# Exit 0: verified. 1: not, and why. 2: wrong usage. What is checked stands in registry_spec/statement.md.
set -uo pipefail
export LC_ALL=C
fail() { printf 'NOT VERIFIED: %s\n' "$*" >&2; exit 1; }
[[ $# -eq 3 || $# -eq 4 ]] || { echo "usage: verify-result.sh RECORD.yaml BUNDLE.json KEY.pub [REGISTRY_ID]" >&2; exit 2; }
for file in "$1" "$2" "$3"; do [[ -f $file && -r $file ]] || { echo "cannot read the file $file" >&2; exit 2; }; done
for tool in openssl jq sha256sum base64; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done
[[ $(openssl pkeyutl -help 2>&1) == *-rawin* ]] || fail "$(openssl version) cannot verify Ed25519 here; use openssl 3.0 or newer"
record=$1 bundle=$2 keyfile=$3 registry=${4:-}
dir=$(mktemp -d) || fail "no temporary folder"
trap 'rm -rf "$dir"' EXIT
has() { jq -e "$2" "$1" >/dev/null 2>&1 || fail "$3"; }           # has FILE CONDITION REASON
get() { jq -r "$2 | strings" "$1"; }
plain() {                                                         # one reading only: printable ASCII, RFC 8785
  [[ $(tr -d ' -~' <"$1" | wc -c) -eq $3 ]] || fail "the $2 holds bytes that are not printable ASCII"
  [[ $(jq -cS . "$1" 2>/dev/null) == "$(cat "$1")" ]] || fail "the $2 is not canonical JSON"
}

# The key: its 32 bytes, then its two usual forms.
if [[ $(head -c 10 "$keyfile") == -----BEGIN ]]; then
  openssl pkey -pubin -in "$keyfile" -outform DER >"$dir/der" 2>/dev/null || fail "the key file is not a PEM public key"
  head=302a300506032b6570032100 size=44
else
  read -r type line _ <"$keyfile"; [[ $type == ssh-ed25519 ]] || fail "the key file is not an ssh-ed25519 key"
  printf %s "${line%$'\r'}" | base64 -d >"$dir/der" 2>/dev/null || fail "the key is not base64"
  head=0000000b7373682d6564323535313900000020 size=51
fi
[[ $(wc -c <"$dir/der") -eq $size && $(od -An -v -tx1 "$dir/der" | tr -d ' \n') == "$head"* ]] || fail "the key is not an Ed25519 key"
tail -c 32 "$dir/der" >"$dir/raw"
{ printf '\0\0\0\013ssh-ed25519\0\0\0\040'; cat "$dir/raw"; } >"$dir/ssh"
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; cat "$dir/raw"; } >"$dir/spki"
keyid="SHA256:$(openssl dgst -sha256 -binary "$dir/ssh" | base64 | tr -d '=\n')"

# The bundle, then what it carries.
type=application/vnd.in-toto+json
plain "$bundle" bundle 1
has "$bundle" '.mediaType == "application/vnd.dev.sigstore.bundle.v0.3+json"' "the bundle has another mediaType"
has "$bundle" ".dsseEnvelope.payloadType == \"$type\"" "the envelope has another payloadType"
has "$bundle" '(.dsseEnvelope.signatures | length) == 1' "the envelope has not exactly one signature"
has "$bundle" ".dsseEnvelope.signatures[0].keyid == \"$keyid\"" "the bundle's keyid is not that of the key, $keyid"
has "$bundle" ".verificationMaterial == {publicKey: {hint: \"$keyid\"}, tlogEntries: []}" "the bundle's hint is not that of the key"
get "$bundle" .dsseEnvelope.payload | base64 -d >"$dir/payload" 2>/dev/null || fail "the payload is not base64"
get "$bundle" '.dsseEnvelope.signatures[0].sig' | base64 -d >"$dir/sig" 2>/dev/null || fail "the signature is not base64"
for part in payload sig; do grep -qF "\"$(base64 <"$dir/$part" | tr -d '\n')\"" "$bundle" || fail "the base64 of the $part is not canonical"; done
{ printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(($(wc -c <"$dir/payload")))"; cat "$dir/payload"; } >"$dir/pae"
openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$dir/spki" -in "$dir/pae" -sigfile "$dir/sig" >/dev/null 2>&1 ||
  fail "the signature is not by this key over this payload"
plain "$dir/payload" payload 0
has "$dir/payload" '._type == "https://in-toto.io/Statement/v1"' "the statement has another _type"
has "$dir/payload" '.predicateType == "https://medperf-git.github.io/registry-statement/v1"' "the statement has another predicateType"
has "$dir/payload" '(.subject | length) == 1' "the statement has not exactly one subject"
digest=$(sha256sum <"$record") path=$(get "$dir/payload" '.subject[0].name')
has "$dir/payload" ".subject[0].digest == {sha256: \"${digest%% *}\"}" "the record has SHA-256 ${digest%% *}, which is not what was signed"
[[ /$path == */"${record##*/}" ]] || fail "what was signed is $path, not a file named ${record##*/}"
signed_for=$(get "$dir/payload" .predicate.registry)
[[ -z $registry || $signed_for == "$registry" ]] || fail "it was signed for the registry $signed_for, not $registry"
echo "VERIFIED: $path, signed by $(get "$dir/payload" .predicate.signer) with $keyid at $(get "$dir/payload" .predicate.signedAt) for $signed_for"
