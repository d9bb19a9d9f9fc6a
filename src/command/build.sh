# shellcheck shell=bash
# The extension: built in a copy of the sources, so that a clone stays as it is whoever owns it and
# however its path is spelled, and installed where PostgreSQL 15 looks for it.

pg_config=$pgbin/pg_config
sources=(Makefile pgxs.mk leadanalytics.control src updates sql expected test)

# A tar of the sources that is the same whenever they are the same.
pack_sources() {
    local present=() name
    for name in "${sources[@]}"; do
        [ ! -e "$source_dir/$name" ] || present+=("$name")
    done
    tar -C "$source_dir" --sort=name --mtime=@0 --owner=0 --group=0 --mode=u+rwX,go+rX,go-w \
        --exclude='*.o' --exclude='*.bc' --exclude='*.d' --exclude='*.so' --exclude=node_modules \
        --exclude=output_iso --exclude=results --exclude='regression.*' --exclude=src/command --exclude='src/http/*.conf' -cf - "${present[@]}"
}

copy_sources() {
    rm -rf -- "$1"
    mkdir -p -- "$1"
    pack_sources | tar -C "$1" -xmf -
}

run_make() { make -s -C "$build" PG_CONFIG="$pg_config" with_llvm=no "$@"; }

build_extension() {
    local fingerprint
    fingerprint=$(pack_sources | sha256sum)
    if [ -f "$build/.fingerprint" ] && [ "$fingerprint" = "$(cat "$build/.fingerprint")" ]; then
        return 0
    fi
    step "building the extension"
    copy_sources "$build"
    logged "$logs/build.log" "the extension does not build" "Mend what the compiler says, then again." \
        run_make -j "$(nproc)" COPT="${LEADANALYTICS_CHECK:+-Werror}"
    echo "$fingerprint" >"$build/.fingerprint"
}

# What make install puts where, as lines "built file<TAB>installed file".
installed_files() {
    local library share file
    library=$("$pg_config" --pkglibdir)
    share=$("$pg_config" --sharedir)/extension
    printf '%s\t%s\n' "$build/leadanalytics.so" "$library/leadanalytics.so" \
        "$build/leadanalytics.control" "$share/leadanalytics.control"
    for file in "$build"/build/*.sql; do
        [ ! -f "$file" ] || printf '%s\t%s\n' "$file" "$share/${file##*/}"
    done
}

is_installed() {
    local built there
    while IFS=$'\t' read -r built there; do
        cmp -s -- "$built" "$there" || return 1
    done < <(installed_files)
}

install_extension() {
    if is_installed; then return 0; fi
    step "installing the extension"
    logged "$logs/install.log" "the extension cannot be installed" "This needs root, or a user who may sudo." \
        as_root make -s -C "$build" PG_CONFIG="$pg_config" with_llvm=no install
}

cmd_build() {
    make_state
    lock_state
    need_packages < <(packages_up)
    own_state
    build_extension
    install_extension
}
