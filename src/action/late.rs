//! Answers of upstream's that came after we had given up on them: the sender was told to come back,
//! and its next try gets the answer in place of a second copy.
//!
//! Bounded, in memory: a restart forgets them, and then a copy too many is what the mail world is
//! used to. Knows nothing of how upstream is asked.

use crate::mail::Envelope;
use crate::smtp::Reply;
use crate::telemetry::Telemetry;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Answers remembered at once; beyond that the oldest goes.
const ANSWERS_MOST: usize = 1000;

/// From a message's receipt: senders give up after four or five days (RFC 5321 §4.5.4.1).
const REMEMBERED_FOR: Duration = Duration::from_hours(5 * 24);

/// What was delivered although its sender was told otherwise.
#[derive(Debug, Default)]
pub struct LateAnswers {
    /// Oldest first.
    known: Mutex<VecDeque<LateAnswer>>,
}

#[derive(Debug)]
struct LateAnswer {
    fingerprint: String,
    reply: Reply,
    received: Timestamp,
}

impl LateAnswers {
    /// What hears upstream's reply to this message, should it come too late. Only a yes is worth
    /// remembering: after a no the next try is asked anew. `received` is when the message came.
    pub(super) fn listener(
        self: &Arc<Self>,
        envelope: Envelope,
        body: Bytes,
        received: Timestamp,
        telemetry: Telemetry,
    ) -> impl FnOnce(Reply) + Send + Sync + 'static {
        let answers = Arc::clone(self);
        move |reply| {
            if reply.is_success() {
                let text = format!("the sender was told to come back before this came: {reply}");
                telemetry.notice("upstream-late", &text);
                answers.remember(fingerprint(&envelope, &body), received, reply);
            }
        }
    }

    /// The late answer to this very message, once. `received` is when this try of it came.
    pub(super) fn take(&self, envelope: &Envelope, body: &[u8], received: Timestamp) -> Option<Reply> {
        // Nearly always there is none, and then nothing is hashed.
        if self.locked().is_empty() {
            return None;
        }
        let wanted = fingerprint(envelope, body);
        let mut known = self.locked();
        known.retain(|answer| received.duration_since(answer.received).unsigned_abs() < REMEMBERED_FOR);
        let place = known.iter().position(|answer| answer.fingerprint == wanted)?;
        known.remove(place).map(|answer| answer.reply)
    }

    fn remember(&self, fingerprint: String, received: Timestamp, reply: Reply) {
        let mut known = self.locked();
        if known.len() >= ANSWERS_MOST {
            known.pop_front();
        }
        known.push_back(LateAnswer {
            fingerprint,
            reply,
            received,
        });
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<LateAnswer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same message said again has the same fingerprint: reverse-path, recipients in any order, body.
pub(super) fn fingerprint(envelope: &Envelope, body: &[u8]) -> String {
    let mut recipients: Vec<&str> = envelope
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    recipients.sort_unstable();
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(envelope.reverse_path_text().as_bytes());
    for recipient in recipients {
        digest.update(b"\n");
        digest.update(recipient.as_bytes());
    }
    digest.update(b"\n\n");
    digest.update(body);
    digest
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Address, Recipient};

    const THEN: Timestamp = Timestamp::UNIX_EPOCH;

    fn envelope(from: &str, to: &[&str]) -> Envelope {
        Envelope {
            reverse_path: Some(Address::from_checked(from)),
            parameters: Vec::new(),
            recipients: to
                .iter()
                .map(|&to| Recipient {
                    address: Address::from_checked(to),
                    parameters: Vec::new(),
                })
                .collect(),
        }
    }

    fn hear(answers: &Arc<LateAnswers>, envelope: &Envelope, body: &'static [u8], code: u16) {
        let hear = answers.listener(envelope.clone(), Bytes::from_static(body), THEN, Telemetry::default());
        hear(Reply::new(code, if code == 250 { "2.0.0" } else { "5.0.0" }, "late"));
    }

    #[test]
    fn an_answer_is_for_the_same_message_once_and_for_a_while() {
        let answers = Arc::new(LateAnswers::default());
        let own = envelope("s@example.org", &["a@example.net", "b@example.net"]);
        let turned = envelope("s@example.org", &["b@example.net", "a@example.net"]);
        hear(&answers, &own, b"x", 550);
        assert_eq!(answers.take(&own, b"x", THEN), None);

        hear(&answers, &own, b"x", 250);
        assert_eq!(answers.take(&own, b"y", THEN), None);
        assert_eq!(
            answers.take(&envelope("s@example.org", &["a@example.net"]), b"x", THEN),
            None
        );
        assert_eq!(
            answers.take(
                &envelope("t@example.org", &["a@example.net", "b@example.net"]),
                b"x",
                THEN
            ),
            None
        );
        assert_eq!(answers.take(&turned, b"x", THEN).map(|reply| reply.code()), Some(250));
        assert_eq!(answers.take(&own, b"x", THEN), None);

        hear(&answers, &own, b"x", 250);
        let just = THEN + REMEMBERED_FOR - Duration::from_nanos(1);
        assert!(answers.take(&own, b"x", just).is_some());
        hear(&answers, &own, b"x", 250);
        assert_eq!(answers.take(&own, b"x", THEN + REMEMBERED_FOR), None);
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let answers = Arc::new(LateAnswers::default());
        let first = envelope("first@example.org", &[]);
        let second = envelope("second@example.org", &[]);
        hear(&answers, &first, b"", 250);
        hear(&answers, &second, b"", 250);
        for place in 0..ANSWERS_MOST - 1 {
            hear(&answers, &envelope(&format!("{place}@example.org"), &[]), b"", 250);
        }
        assert_eq!(answers.locked().len(), ANSWERS_MOST);
        assert!(answers.take(&first, b"", THEN).is_none() && answers.take(&second, b"", THEN).is_some());
    }
}
