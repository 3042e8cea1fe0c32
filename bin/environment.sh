# Sourced by bin/run, bin/test and bin/manage: the project's own virtual environment in .venv.
# Needs bash, flock and a Python from 3.11 on; installs requirements only when their file changed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
# Seven programs would compile all of ours at each start.
unset PYTHONDONTWRITEBYTECODE

fail() {
    echo "error: $*" >&2
    exit 1
}

# Sets $python to the first interpreter that is new enough.
find_python() {
    for python in python3.11 python3.12 python3; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    fail "Leitstand needs Python 3.11 or 3.12, and there is none on PATH"
}

# Debian keeps ensurepip, which `venv` needs, in a package of its own.
need_ensurepip() {
    "$python" -c 'import ensurepip' 2>/dev/null && return
    local package
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends "$package"; } >&2 && return
    fi
    fail "this Python cannot make virtual environments; install the package $package"
}

stamp_of() { echo "$venv/.installed-$1"; }

# The digest covers every requirements file, since one may include another.
digest() { cat "$root"/requirements*.txt | sha256sum; }

is_installed() {
    [[ -x $venv/bin/python && -f $(stamp_of "$1") && $(<"$(stamp_of "$1")") == "$(digest)" ]]
}

# install requirements.txt: makes sure that .venv holds what the file lists. Two starts side by
# side wait for each other on a lock; a start that was interrupted left no stamp and is redone.
install() {
    is_installed "$1" && return
    (
        flock 9
        is_installed "$1" && exit 0
        umask 022 # PostgreSQL runs as another user than root and must be able to execute it
        echo "installing $1 into .venv ..." >&2
        if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
            find_python
            need_ensurepip
            "$python" -m venv --clear "$venv" >&2 || fail "cannot make $venv"
        fi
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --progress-bar off -r "$root/$1" >&2 || fail "cannot install $1"
        digest >"$(stamp_of "$1").new"
        mv "$(stamp_of "$1").new" "$(stamp_of "$1")"
    ) 9<"$root/bin" || exit 1
}
