//! Programs that measure a server or make things hard for it. Run one with `cargo trial NAME`; each says what it does at
//! the top of its file in `src/bin`.

pub mod server;
