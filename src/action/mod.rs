//! What is done with a judged message: passed on, kept, put off or refused; and what is released.
//!
//! The promise "nothing lost" is kept here: 250 is said only after upstream said it, or after the
//! store has committed. Knows nothing of how a verdict came about.

pub mod headers;
mod late;
mod perform;
mod plan;
mod release;
mod seal;

pub use headers::{Marking, Stamp};
pub use late::LateAnswers;
pub use perform::{Assignment, Means, Outcome, perform};
pub use plan::{Plan, plan};
pub use release::{ReleaseError, Released, release};
pub use seal::Sealer;

#[cfg(test)]
mod tests;
