//! Real mail servers in front and behind.
