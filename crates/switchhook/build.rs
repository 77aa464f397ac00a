//! How the program that is published is linked: stripped, because `strip` of a profile does not count for a package with an
//! optimization level of its own; and, where it brings its C library, with its relocations packed, which saves 0.9 MB. Other C
//! libraries may be too old to read those.

#[expect(
    clippy::disallowed_methods,
    reason = "what Cargo tells a build script is in the environment"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_published = std::env::var("OPT_LEVEL").is_ok_and(|level| level == "z");
    if !is_published {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-s");
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|library| library == "musl") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
