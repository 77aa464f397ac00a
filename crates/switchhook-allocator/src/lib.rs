//! The allocator of the program. It has a crate of its own because it must be optimized in every build, and the commands beside which
//! it would stand are not.

/// On Linux `malloc` itself is mimalloc's, for SQLite as for Rust, whose own allocator calls it. That takes a third of the
/// instructions of `mi_malloc_aligned`, which is what a `#[global_allocator]` calls. What is named here is linked.
#[cfg(target_os = "linux")]
#[used]
static LINKED: unsafe extern "C" fn(*mut core::ffi::c_void) = libmimalloc_sys::mi_free;

#[cfg(not(target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
