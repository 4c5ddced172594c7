#!/usr/bin/env bash
# Make a cargo that can build bare-metal targets and a QEMU that can run them available,
# and say how.
#
#   eval "$(tools/embedded-toolchain.sh)"                 # Cortex-M0 and Cortex-M3
#   eval "$(tools/embedded-toolchain.sh --targets "thumbv7em-none-eabihf")"
#   tools/embedded-toolchain.sh --check                   # report only, install nothing
#
# Only shell assignments go to stdout, so `eval` is safe; messages go to stderr, and
# there are none when everything is already there. Every run is idempotent.
#
# Two ways to a bare-metal core:
#   rustup  the wanted targets are installed for the active toolchain, or
#           `rustup target add` can fetch them: plain cargo.
#   debian  the distribution's rustc-web/cargo-web with matching rust-web-src, where
#           cargo builds core and alloc itself (an unstable flag, hence RUSTC_BOOTSTRAP).
# CORIO_EMBEDDED=debian in the environment asks for the second.
# Two ways to QEMU: the package; or, where installing it would remove packages of yours or
# there is no root, the same package unpacked under $CORIO_TOOLS (~/.cache/corio), which
# touches nothing else. Nothing installed is ever removed.
# Exported:
#   CORIO_EMBEDDED        rustup | debian
#   CORIO_CARGO           the cargo to call: "$CORIO_CARGO" build --target ... --release
#   CORIO_QEMU_ARM        the emulator, if a thumb target is wanted
#   CARGO_TARGET_<T>_RUNNER   QEMU command line per target with a known machine
#   PATH, where one of these lives outside it
#   and for debian also RUSTC_BOOTSTRAP, CARGO_UNSTABLE_BUILD_STD and
#   CARGO_TARGET_<T>_LINKER.
# Do not keep the debian environment for host builds: CARGO_UNSTABLE_BUILD_STD makes cargo
# rebuild core for each --target build. Use a subshell: ( eval "$(...)"; "$CORIO_CARGO" ... )
set -euo pipefail

targets="thumbv6m-none-eabi thumbv7m-none-eabi"
check=0
while [ $# -gt 0 ]; do
    case "$1" in
        --targets) targets="${2:?--targets needs a list}"; shift 2 ;;
        --check)   check=1; shift ;;
        -h|--help) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) echo "embedded-toolchain: unknown argument: $1" >&2; exit 2 ;;
    esac
done
tools="${CORIO_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/corio}"

log() { echo "embedded-toolchain: $*" >&2; }
die() { log "$*"; echo "false"; exit 1; }     # `eval` of "false" fails in the caller too
have() { command -v "$1" >/dev/null 2>&1; }
var() { printf 'CARGO_TARGET_%s_%s' "$(printf '%s' "$1" | tr 'a-z.-' 'A-Z__')" "$2"; }
emit() { printf 'export %s=%q\n' "$1" "$2"; }

# ---- Debian packages ---------------------------------------------------------------
missing_of() {                                 # missing_of PACKAGE... : those not installed
    local p st
    for p in "$@"; do
        st=$(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null || true)
        case "$st" in ii*) ;; *) printf '%s\n' "$p" ;; esac
    done
}
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo -n "$@"; else return 1; fi
}
refreshed=0
refresh() {                                    # package lists, at most once a run
    [ "$refreshed" = 0 ] || return 1
    refreshed=1
    log "refreshing the package lists"
    as_root apt-get update -qq >/dev/null 2>&1
}
plan() {                                       # plan PACKAGE... : what apt would do, one action a line
    LC_ALL=C apt-get install -s -qq --no-install-recommends "$@" 2>/dev/null | grep -E '^(Inst|Remv) '
}
apt_get() {                                    # apt_get PACKAGE... : installs what is missing
    local missing
    mapfile -t missing < <(missing_of "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    have apt-get || { log "apt-get not found; install by hand: ${missing[*]}"; return 1; }
    [ "$check" = 0 ] || { log "missing packages: ${missing[*]}"; return 1; }
    as_root true 2>/dev/null || { log "need root to install: ${missing[*]}"; return 1; }
    local opt=(-y -qq --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300) out
    out=$(mktemp)
    log "installing ${missing[*]}"
    while ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${opt[@]}" "${missing[@]}" >"$out" 2>&1; do
        # Most often stale lists. A half-configured package of someone else's also makes apt
        # fail after ours are in, so what counts is whether they are.
        mapfile -t missing < <(missing_of "$@")
        [ "${#missing[@]}" -gt 0 ] || break
        refresh || { tail -n 20 "$out" >&2; rm -f "$out"; return 1; }
    done
    rm -f "$out"
}

# Unpacks qemu-system-arm and the libraries that the system lacks into a prefix of our own.
private_qemu() {                               # prints the wrapper's path
    local root="$tools/qemu" wrapper="$tools/bin/qemu-system-arm" work lib p packages
    if [ -x "$wrapper" ] && "$wrapper" --version >/dev/null 2>&1; then echo "$wrapper"; return 0; fi
    if ! have apt-get || ! have dpkg-deb; then log "apt-get not found; install qemu-system-arm by hand"; return 1; fi
    [ "$check" = 0 ] || { log "missing: qemu-system-arm (would be unpacked into $root)"; return 1; }
    log "unpacking qemu-system-arm into $root"
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/unpack.XXXXXX")
    while :; do
        mapfile -t packages < <(plan qemu-system-arm | awk '$1 == "Inst" { print $2 }')
        if [ "${#packages[@]}" -gt 0 ] && (cd "$work" && apt-get download -qq "${packages[@]}" >log 2>&1); then break; fi
        refresh || { tail -n 20 "$work/log" >&2 2>/dev/null; rm -rf "$work"; return 1; }
    done
    mkdir "$work/root"
    for p in "$work"/*.deb; do dpkg-deb -x "$p" "$work/root"; done
    rm -rf "$root"; mv "$work/root" "$root"; rm -rf "$work"
    lib="$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)"
    mkdir -p "$tools/bin"
    cat >"$wrapper.new" <<WRAPPER
#!/bin/sh
# QEMU unpacked by corio's tools/embedded-toolchain.sh; remove $tools to be rid of it.
LD_LIBRARY_PATH="$lib:$root/lib/${lib##*/}\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" QEMU_MODULE_DIR="$lib/qemu" \\
    exec "$root/usr/bin/qemu-system-arm" -L "$root/usr/share/qemu" "\$@"
WRAPPER
    chmod +x "$wrapper.new"; mv "$wrapper.new" "$wrapper"
    "$wrapper" --version >/dev/null || { log "the unpacked QEMU does not start"; return 1; }
    echo "$wrapper"
}

qemu_arm() {                                   # prints the path of a working qemu-system-arm
    if have qemu-system-arm; then command -v qemu-system-arm; return 0; fi
    [ -x "$tools/bin/qemu-system-arm" ] || ! have apt-get || [ "$check" = 1 ] || plan qemu-system-arm >/dev/null || refresh || true
    if as_root true 2>/dev/null && [ ! -x "$tools/bin/qemu-system-arm" ] && ! plan qemu-system-arm | grep -q '^Remv '; then
        if apt_get qemu-system-arm; then command -v qemu-system-arm; return 0; fi
    fi
    private_qemu
}

# ---- toolchain ---------------------------------------------------------------------
rustup_has_all() {
    have rustup || return 1
    local t inst
    inst=$(rustup target list --installed 2>/dev/null) || return 1
    for t in $targets; do printf '%s\n' "$inst" | grep -qx -- "$t" || return 1; done
}
rustup_can_add() {
    if ! have rustup || [ "$check" = 1 ]; then return 1; fi
    log "trying rustup target add $targets"
    # shellcheck disable=SC2086  # a list
    timeout 120 rustup target add $targets >/dev/null 2>&1 && rustup_has_all
}
debian=(rustc-web cargo-web rust-web-src lld)
debian_has_all() { have dpkg-query && [ -z "$(missing_of "${debian[@]}")" ]; }

qemu=""
case "$targets" in *thumb*) qemu=$(qemu_arm) || die "could not provide qemu-system-arm" ;; esac

if [ "${CORIO_EMBEDDED:-}" != debian ] && rustup_has_all; then mode=rustup
elif debian_has_all; then mode=debian
elif [ "${CORIO_EMBEDDED:-}" != debian ] && rustup_can_add; then mode=rustup
else
    mode=debian
    apt_get "${debian[@]}" || die "no bare-metal toolchain: 'rustup target add $targets' or Debian's ${debian[*]} would do"
fi

# ---- what was found ----------------------------------------------------------------
path="$PATH"
emit CORIO_EMBEDDED "$mode"
if [ "$mode" = rustup ]; then
    emit CORIO_CARGO cargo
else
    sys=/usr/bin
    [ -x $sys/rustc ] && [ -x $sys/cargo ] || die "no $sys/rustc or $sys/cargo after the install"
    [ -d "$($sys/rustc --print sysroot)/lib/rustlib/src/rust/library/core" ] \
        || die "the standard library source does not match: reinstall rust-web-src"
    rv=$($sys/rustc --version | cut -d' ' -f2)
    sv=$(dpkg-query -W -f='${Version}' rust-web-src 2>/dev/null | cut -d'+' -f1)
    [ "$rv" = "$sv" ] || die "rustc $rv and rust-web-src $sv differ: upgrade both"
    emit CORIO_CARGO "$sys/cargo"
    case ":$path:" in "$sys:"*|":$sys:"*) ;; *) path="$sys:$path" ;; esac
    emit RUSTC_BOOTSTRAP 1
    emit CARGO_UNSTABLE_BUILD_STD core,alloc
    echo 'unset RUSTUP_TOOLCHAIN RUSTC'
fi
if [ -n "$qemu" ]; then
    emit CORIO_QEMU_ARM "$qemu"
    case ":$path:" in *":${qemu%/*}:"*) ;; *) path="$path:${qemu%/*}" ;; esac
fi
[ "$path" = "$PATH" ] || emit PATH "$path"

semi='-nographic -monitor none -serial none -semihosting-config enable=on,target=native'
for t in $targets; do
    if [ "$mode" = debian ]; then emit "$(var "$t" LINKER)" ld.lld; fi
    case "$t" in
        # Not a real chip with an M0 core, but the one board that both cores boot on.
        thumbv6m-none-eabi)
            emit "$(var "$t" RUNNER)" "$qemu -cpu cortex-m0 -machine lm3s6965evb $semi -kernel" ;;
        thumbv7m-none-eabi)
            emit "$(var "$t" RUNNER)" "$qemu -cpu cortex-m3 -machine lm3s6965evb $semi -kernel" ;;
        thumbv7em-none-eabi|thumbv7em-none-eabihf)
            emit "$(var "$t" RUNNER)" "$qemu -cpu cortex-m4 -machine mps2-an386 $semi -kernel" ;;
        thumbv8m.main-none-eabi|thumbv8m.main-none-eabihf)
            emit "$(var "$t" RUNNER)" "$qemu -cpu cortex-m33 -machine mps2-an505 $semi -kernel" ;;
    esac
done
