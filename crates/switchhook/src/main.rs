//! The program `switchhook`: everything it does is in the library beside it, every command in `cli.rs`.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    installed.expect("nobody chose how to encrypt before the first line of main");
    switchhook::cli::run(std::env::args_os())
}
