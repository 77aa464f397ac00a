//! Strips the program that is published: `strip` of a profile does not count for a package with an optimization level of its own.

#[expect(
    clippy::disallowed_methods,
    reason = "what Cargo tells a build script is in the environment"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_published = std::env::var("OPT_LEVEL").is_ok_and(|level| level == "z");
    if is_published {
        println!("cargo:rustc-link-arg-bins=-Wl,-s");
    }
}
