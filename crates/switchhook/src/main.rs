//! The program `switchhook`: everything it does is in the library beside it, every command in `cli.rs`.

use std::process::ExitCode;

use switchhook_allocator as _;

fn main() -> ExitCode {
    use_small_pages();
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    installed.expect("nobody chose how to encrypt before the first line of main");
    switchhook::cli::run(std::env::args_os())
}

/// Of huge pages much is held that is not used: a quarter of the memory of a server, and nothing gets faster by it
/// (docs/performance.md). The allocator is built not to ask for them (`no_thp`); this is for machines that give them unasked.
/// Where the machine knows no such wish, there is nothing to lose.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
