//! Keeps the tokenizer from looking for parse errors, which nobody asks for.
//!
//! html5gum validates every character by itself where errors are wanted, which takes a quarter of its
//! time. Knows nothing of HTML.

use html5gum::emitters::callback::{Callback, CallbackEmitter};
use html5gum::{Emitter, ForwardingEmitter, State};

/// A [`CallbackEmitter`] that wants no errors.
pub(super) struct QuietEmitter<C: Callback<State, ()>>(CallbackEmitter<C, State, ()>);

impl<C: Callback<State, ()>> QuietEmitter<C> {
    pub(super) fn new(callback: C) -> Self {
        Self(CallbackEmitter::new(callback))
    }
}

impl<C: Callback<State, ()>> ForwardingEmitter for QuietEmitter<C> {
    type Token = State;

    fn inner(&mut self) -> &mut impl Emitter<Token = State> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }
}
