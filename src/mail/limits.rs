//! How much of a message is looked at.
//!
//! Beyond each limit the view is cut and a [`Defect`](super::Defect) says so, so that nothing that
//! a sender writes costs more than its size times a constant. Knows nothing of sessions or the
//! size limit of SMTP.

/// How much of a message is looked at. Beyond a limit the view is cut and a defect says so.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of multipart and message/rfc822.
    pub nesting: usize,
    /// MIME parts in all.
    pub parts: usize,
    /// Header fields of the message.
    pub header_fields: usize,
    /// Bytes of the message's own header.
    pub header_bytes: usize,
    /// Bytes of rendered text, and as many of hidden text.
    pub text_bytes: usize,
    /// Links; as many images and forms.
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nesting: 100,
            parts: 10_000,
            header_fields: 10_000,
            header_bytes: 1 << 20,
            text_bytes: 1 << 20,
            links: 10_000,
        }
    }
}

/// Mailboxes read from one header field.
pub(super) const MAILBOXES: usize = 10_000;

/// Parameters read from one Content-Type or Content-Disposition field.
pub(super) const PARAMETERS: usize = 100;

/// Content fields of one name that are read of one part.
pub(super) const CONTENT_FIELDS: usize = 16;

/// Bytes of a link's shown text.
pub(super) const SHOWN_BYTES: usize = 1_000;

/// Bytes of a URL that are looked at: what a browser would still follow.
pub(super) const URL_BYTES: usize = 8_192;

/// Bytes of one Received field that are looked at.
pub(super) const RECEIVED_BYTES: usize = 4_096;
