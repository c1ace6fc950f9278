#!/bin/sh
# SPDX-License-Identifier: MIT
# install-packages.sh PACKAGE…: install the Debian packages that are missing, as root or through
# sudo; otherwise print the one line to run and fail.
set -u
missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || status=
    [ "$status" = 'install ok installed' ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

run=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        run=sudo
    else
        echo "acre: packages are missing; run as root:" >&2
        echo "    apt-get install -y --no-install-recommends$missing" >&2
        exit 2
    fi
fi
echo "acre: installing$missing"
install() {
    # shellcheck disable=SC2086
    $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends $missing
}
install >/dev/null 2>&1 && exit 0
$run apt-get update -q >/dev/null && install >/dev/null && exit 0
echo "acre: apt-get could not install$missing" >&2
exit 2
