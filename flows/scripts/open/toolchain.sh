#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fetch open place and route for the 7 series, and the simulator Icarus Verilog, from Debian's
# unstable distribution into a folder:
#
#   flows/scripts/open/toolchain.sh [FOLDER]
#
# The mirror is the one that this machine's apt uses for Debian, or DEBIAN_MIRROR (an address such as
# http://HOST/debian), which Ubuntu needs: its own archive has no "sid". Debian's key decides whether
# an archive is Debian's, wherever it lies.
#
# No root and nothing outside of the folder: apt works with a list of sources and state of its own
# and keeps the rest of this machine's settings (proxy, credentials). Packages are unpacked and not
# installed, and programs run with the C library that comes with them. Needs a Debian or Ubuntu
# (apt-get, dpkg-deb) of the architecture amd64, the network, and 700 MB.
set -euo pipefail

folder=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/bonn_hw/open-toolchain}")
packages=(nextpnr-himbaechel-xilinx nextpnr-himbaechel-xilinx-chipdb prjxray prjxray-database
  iverilog)
keys=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "toolchain.sh: $1" >&2
  exit 2
}
[ "$(uname -m)" = x86_64 ] || fail "machine $(uname -m): the packages are for x86_64"
command -v apt-get >/dev/null || fail "there is no apt-get: fetch ${packages[*]} another way"
[ -f "$keys" ] || fail "$keys is missing: install debian-archive-keyring"

mkdir -p "$(dirname "$folder")"
state=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$state"' EXIT
chmod 755 "$state"
mkdir -p "$state/apt/lists/partial" "$state/apt/archives/partial"
: >"$state/apt/status"
options=(
  -o "Dir::State=$state/apt" -o "Dir::State::lists=$state/apt/lists"
  -o "Dir::State::status=$state/apt/status" -o "Dir::Cache=$state/apt"
  -o "Dir::Cache::archives=$state/apt/archives"
  -o "Dir::Etc::sourcelist=$state/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64
  -o APT::Install-Recommends=false -o Debug::NoLocking=1 -o "APT::Sandbox::User=$(id -un)" -qq
)

# Addresses of the archives that apt is set up for, in its own order; asks no server.
archives() {
  if [ -n "${DEBIAN_MIRROR:-}" ]; then
    echo "${DEBIAN_MIRROR%/}"
  else
    apt-get --print-uris update 2>/dev/null | sed -n "s,^'\\(.*\\)/dists/.*,\\1,p" | awk '!seen[$0]++'
  fi
}

# Fetches the package lists from the first archive that has Debian's "sid".
update() {
  local archive tried=()
  while read -r archive; do
    echo "deb [signed-by=$keys] $archive sid main" >"$state/apt/sources.list"
    if apt-get "${options[@]}" -o APT::Update::Error-Mode=any update 2>"$state/apt/log"; then
      return
    fi
    tried+=("$archive")
  done < <(archives)
  [ ${#tried[@]} = 0 ] || cat "$state/apt/log" >&2
  fail "no archive of this machine's apt has Debian's sid (tried: ${tried[*]:-none}): set\
 DEBIAN_MIRROR to the address of a mirror of Debian"
}
update
apt-get "${options[@]}" install --yes --download-only "${packages[@]}" ||
  fail "the packages cannot be fetched"
for archive in "$state"/apt/archives/*.deb; do
  dpkg-deb -x "$archive" "$state"
done
rm -rf "$state/apt"
# Devices that no board has are most of what was unpacked.
find "$state/usr/share/nextpnr/himbaechel/xilinx" -name 'chipdb-*' \
  ! -name '*xc7z0*' ! -name '*xc7a50t*' ! -name '*xc7a100t*' -delete
rm -rf "$state"/usr/share/prjxray/database/{kintex7,spartan7,artix7/xc7a200t*} \
  "$state"/usr/share/{doc,man,locale}

mkdir -p "$state/bin"
# wrapper FILE UP PROGRAM [OPTION]: starts a program of the folder, which lies UP from the file.
wrapper() {
  cat >"$1" <<WRAPPER
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")/$2
libraries=\$root/usr/lib/x86_64-linux-gnu
exec "\$libraries/ld-linux-x86-64.so.2" --library-path "\$libraries" "\$root/$3" ${4:-}"\$@"
WRAPPER
  chmod +x "$1"
}
for program in nextpnr-himbaechel-xilinx xc7frames2bit bitread; do
  wrapper "$state/bin/$program" .. "usr/bin/$program"
done
# Icarus starts programs of its own.
parts=usr/lib/x86_64-linux-gnu/ivl
for part in ivl ivlpp; do
  mv "$state/$parts/$part" "$state/$parts/$part.bin"
  wrapper "$state/$parts/$part" ../../../.. "$parts/$part.bin"
done
wrapper "$state/bin/iverilog" .. usr/bin/iverilog '-B"$libraries/ivl" '
wrapper "$state/bin/vvp" .. usr/bin/vvp '-M"$libraries/ivl" '
"$state/bin/nextpnr-himbaechel-xilinx" --version || fail "nextpnr does not run on this machine"
"$state/bin/iverilog" -V >/dev/null 2>&1 || fail "iverilog does not run on this machine"
rm -rf "$folder"
mv "$state" "$folder"
echo "$folder/bin"
