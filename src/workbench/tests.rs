//! Kept messages under small sets of rules.

use super::*;
use crate::rules::source::Root;
