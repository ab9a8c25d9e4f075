# shellcheck shell=bash
# Shared by every set-up script; source it, do not run it.
#
# Everything that set-up makes is an artifact: a folder of the cache named NAME-KEY, where KEY is a hash of what it
# was made from. An artifact is made in a folder of another name and renamed when it is whole, so a half-made one is
# never used, and an interrupted run costs at most the artifact that it was making.

set -euo pipefail

# shellcheck disable=SC2034
apus_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
apus_cache=${XDG_CACHE_HOME:-$HOME/.cache}/apus

# say TEXT…: a line of progress for a person, on standard error.
say() { printf '%s\n' "apus set-up: $*" >&2; }

# die TEXT…: says what is wrong and what to do about it, then ends with status 1.
die() {
    say "error: $*"
    exit 1
}

# key_of WORD-OR-FILE…: prints a hash of the words and of the contents of those that are files.
key_of() {
    local item
    for item in "$@"; do
        if [ -f "$item" ]; then cat -- "$item"; else printf '%s\n' "$item"; fi
    done | sha256sum | cut -c 1-16
}

# artifact_path NAME KEY: prints where the artifact is, or will be.
artifact_path() { printf '%s\n' "$apus_cache/$1-$2"; }

# make_artifact NAME KEY FUNCTION: makes the artifact unless it is there. FUNCTION is called in a subshell with the
# folder to fill as its argument. A second set-up at the same time waits for the first. Prints nothing on standard
# output. With a file's name in APUS_SETUP_LIST it adds the artifact's name to that file instead of making it.
make_artifact() {
    local name=$1 key=$2 function=$3 final partial
    final=$(artifact_path "$name" "$key")
    [ ! -d "$final" ] || return 0
    if [ -n "${APUS_SETUP_LIST-}" ]; then
        printf '%s\n' "$name" >>"$APUS_SETUP_LIST"
        return 0
    fi
    mkdir -p "$apus_cache"
    (
        exec {lock}>"$apus_cache/.lock-$name"
        if ! flock -n "$lock"; then
            say "$name: another set-up is making it; waiting"
            flock "$lock"
        fi
        [ ! -d "$final" ] || exit 0
        # Whoever holds the lock is alone: what another run left half-made belongs to nobody. The new folder has a name
        # of its own, so that a straggler of that run cannot write into it.
        rm -rf -- "$apus_cache/.partial-$name" "$apus_cache/.partial-$name".*
        partial=$(mktemp -d "$apus_cache/.partial-$name.XXXXXX")
        chmod 755 "$partial"
        started=$SECONDS
        say "$name: making it"
        # In a subshell: closing a descriptor by the name of its variable lasts, and the lock has to be kept here; nor
        # can the function's variables be mistaken for those of this one.
        ("$function" "$partial" {lock}>&- >&2)
        mv -T -- "$partial" "$final"
        say "$name: done in $((SECONDS - started)) s"
    )
}

# has_arm64_kvm: whether this machine itself runs arm64 guests.
has_arm64_kvm() { [ "$(uname -m)" = aarch64 ] && [ -r /dev/kvm ] && [ -w /dev/kvm ]; }

# with_kvm_tests COMMAND…: has it build, of the tests, those that need KVM and no others, which this machine runs. One
# that has arm64 KVM itself has one build for all.
with_kvm_tests() {
    if has_arm64_kvm; then "$@"; else APUS_TESTS=kvm "$@"; fi
}

# native_swift_suits [VERSION]: whether the machine has a Swift of that version or later; without one, 6.2, which can
# build Apus.
native_swift_suits() {
    local version wanted=${1:-6.2}
    command -v swift >/dev/null || return 1
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] && [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" = "$wanted" ]
}

# need_new_swift: ends the script where the machine has no Swift that builds everything, or an older one.
need_new_swift() {
    native_swift_suits 6.3 ||
        die "this needs Swift 6.3 or later in PATH, from https://www.swift.org/install: Debian's, with which 'make demo'" \
            "works, builds no bare-metal guests and no fuzz targets that run"
}

# end_jobs: ends this script's background jobs and all that they started. A script that has some sets
#     set -m; trap end_jobs EXIT; trap 'exit 130' INT; trap 'exit 143' TERM HUP
# Without job control, bash's background jobs ignore Ctrl-C.
end_jobs() {
    local job
    for job in $(jobs -rp); do kill -TERM -- "-$job" 2>/dev/null || true; done
    wait
}

# debian_mirror: prints the Debian mirror that this machine's own apt uses.
debian_mirror() {
    local every='' mirror
    # shellcheck disable=SC2016
    every=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages')
    mirror=$(sed -n '/-security/d; s/^Debian //p' <<<"$every" | head -n 1)
    # Without downloaded lists apt knows no origins.
    [ -n "$mirror" ] || mirror=$(sed -n 's/^.* \([^ ]*\/debian\/*\)$/\1/p' <<<"$every" | head -n 1)
    [ -n "$mirror" ] || die "apt names no Debian mirror; add one to its sources and run 'apt-get update' as root"
    printf '%s\n' "${mirror%/}"
}

# debian_keyring: prints the file with the keys that Debian's archive is signed with.
debian_keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -e "$file" ]; then
            printf '%s\n' "$file"
            return
        fi
    done
    die "no keys of Debian's archive here; as root: apt-get install debian-archive-keyring"
}

# foreign_apt FOLDER SUITE ARCHITECTURE: prepares a private apt in FOLDER that sees only SUITE for ARCHITECTURE and
# leaves the machine's own apt alone. Afterwards: apt-get -c FOLDER/apt.conf …, apt-cache -c FOLDER/apt.conf …
foreign_apt() {
    local folder=$1 suite=$2 architecture=$3 mirror keyring
    mirror=$(debian_mirror)
    keyring=$(debian_keyring)
    mkdir -p "$folder"/{lists/partial,archives/partial,log,none}
    : >"$folder/status"
    printf 'deb [arch=%s signed-by=%s] %s %s main\n' "$architecture" "$keyring" "$mirror" "$suite" \
        >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
Dir::Etc::sourcelist "$folder/sources.list";
Dir::Etc::sourceparts "$folder/none";
Dir::Etc::preferences "$folder/none/preferences";
Dir::Etc::preferencesparts "$folder/none";
Dir::State "$folder";
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
Dir::Cache::archives "$folder/archives";
Dir::Log "$folder/log";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Debug::NoLocking "true";
CONF
    apt-get -qq -c "$folder/apt.conf" update
}

# foreign_version FOLDER PACKAGE: prints the version that the private apt in FOLDER would take, nothing if it has none.
foreign_version() { apt-cache -c "$1/apt.conf" show --no-all-versions "$2" 2>/dev/null | sed -n 's/^Version: //p'; }

# foreign_closure FOLDER PACKAGE…: prints the names of the packages and of all that they depend on.
foreign_closure() {
    local folder=$1
    shift
    apt-get -q -s -c "$folder/apt.conf" install "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# foreign_download FOLDER PACKAGE…: downloads just these packages, so that FOLDER/archives holds them and no others.
# What an interrupted run has downloaded already is kept.
foreign_download() {
    local folder=$1 wanted total downloader file
    shift
    # In a folder without packages: apt doesn't name those that are there.
    wanted=$(cd "$folder/none" && apt-get -qq -c "$folder/apt.conf" download --print-uris "$@")
    find "$folder/archives" -maxdepth 1 -name '*.deb' | while IFS= read -r file; do
        grep -qF " ${file##*/} " <<<"$wanted" || rm -- "$file"
    done
    total=$(awk '{ bytes += $(NF - 1) } END { printf "%d", bytes / 1000000 }' <<<"$wanted")
    say "downloading $(wc -l <<<"$wanted") packages, $total MB"
    (cd "$folder/archives" && exec apt-get -qq -c "$folder/apt.conf" download "$@") &
    downloader=$!
    while kill -0 "$downloader" 2>/dev/null; do
        sleep 0.5
        [ $((SECONDS % 10)) -ne 9 ] || { say "downloaded $(archives_size "$folder") of $total MB" && sleep 1; }
    done
    wait "$downloader"
}

# archives_size FOLDER: prints how many megabytes FOLDER/archives holds.
archives_size() { find "$1/archives" -type f -printf '%s\n' | awk '{ bytes += $1 } END { printf "%d", bytes / 1000000 }'; }

# foreign_unpack FOLDER ROOT [OPTION…]: unpacks the packages in FOLDER/archives to ROOT, with more options for tar. ROOT
# is no system of its own.
foreign_unpack() {
    local folder=$1 root=$2 deb
    shift 2
    mkdir -p "$root"
    for deb in "$folder/archives/"*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner -C "$root" --exclude='*/gconv' --exclude='./etc' "$@"
    done
}
