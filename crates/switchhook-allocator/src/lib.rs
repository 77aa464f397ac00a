//! The allocator of the program. It has a crate of its own because it must be optimized in every build, and the commands beside which
//! it would stand are not.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
