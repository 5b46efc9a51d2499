//! Arguments in, exit code out.

use std::process::ExitCode;

/// A message is many small allocations on several threads, which the system's allocator serves at
/// a measurable price (docs/decisions/0008-allocator.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portreeve::cli::run()
}
