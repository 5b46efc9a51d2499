//! What the answers to one message come to together: one over SMTP, one for each recipient over LMTP.
//!
//! Answers go in, a [`Delivery`] comes out. Pure; counts nothing and keeps nothing.

use super::failure::{Failure, Stage};
use super::{Delivery, Missed};
use crate::smtp::Reply;
use crate::smtp::reply::Class;

/// What the answers come to. `told` makes the client's reply of one that is no yes, softened where it
/// must be.
///
/// The sender has one reply for all. Where nobody has the message, that is the one that makes it try
/// again if any does: nothing is lost by asking twice, and what is refused for good is refused again.
pub(super) fn together(answers: Vec<Result<Reply, Failure>>, mut told: impl FnMut(&Failure) -> Reply) -> Delivery {
    let mut accepted = None;
    let mut missed = Vec::new();
    let mut refusals = Vec::new();
    let mut silence = None;
    for (place, answer) in answers.into_iter().enumerate() {
        let failure = match answer {
            Ok(reply) if reply.is_success() => {
                accepted.get_or_insert(reply);
                continue;
            }
            Ok(reply) => Failure::Answer(Stage::Dot, reply),
            Err(failure) => failure,
        };
        missed.push(Missed {
            place,
            answer: match &failure {
                Failure::Answer(_, reply) => reply.to_string(),
                _ => format!("no answer, it may have arrived: {failure}"),
            },
        });
        match failure {
            Failure::Answer(..) => refusals.push(told(&failure)),
            // Silence after the first is the same silence, and is told once.
            _ if silence.is_none() => silence = Some(told(&failure)),
            _ => {}
        }
    }
    match (accepted, silence) {
        (Some(accepted), _) if missed.is_empty() => Delivery::Accepted(accepted),
        (Some(accepted), _) => Delivery::Partly {
            accepted,
            missed,
            retry: Reply::new(
                451,
                "4.3.0",
                "The mail server behind us took this for some recipients only; try again later",
            ),
        },
        (None, Some(silence)) => Delivery::Unsure(silence),
        (None, None) => match strongest(refusals) {
            Some(refusal) => Delivery::Refused(refusal),
            None => Delivery::NotSent(Reply::new(451, "4.3.0", "No recipient is left; try again later")),
        },
    }
}

/// The first that says "try again", else the first.
fn strongest(refusals: Vec<Reply>) -> Option<Reply> {
    let transient = refusals.iter().position(|reply| reply.class() == Class::Transient);
    refusals.into_iter().nth(transient.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::failure::Softening;
    use super::*;
    use crate::smtp::client::Fault;

    fn answer(code: u16) -> Result<Reply, Failure> {
        match code {
            0 => Err(Failure::Fault(Stage::Dot, Fault::Dropped)),
            _ => Ok(Reply::from_lines(code, vec![format!("{code} words")]).unwrap()),
        }
    }

    /// How it ended, the client's code, and who was left out; 0 is silence.
    fn come_to(codes: &[u16]) -> (&'static str, u16, Vec<usize>) {
        let soft = Softening {
            codes: vec!["553".into()],
            every_reject: false,
        };
        let answers = codes.iter().map(|code| answer(*code)).collect();
        let delivery = together(answers, |failure| failure.reply(&soft).0);
        let code = delivery.reply().code();
        match delivery {
            Delivery::Accepted(_) => ("accepted", code, vec![]),
            Delivery::Partly { missed, .. } => ("partly", code, missed.iter().map(|one| one.place).collect()),
            Delivery::Refused(_) => ("refused", code, vec![]),
            Delivery::NotSent(_) => ("not sent", code, vec![]),
            Delivery::Unsure(_) => ("unsure", code, vec![]),
        }
    }

    #[test]
    fn one_answer_stands_for_itself() {
        assert_eq!(come_to(&[250]), ("accepted", 250, vec![]));
        assert_eq!(come_to(&[452]), ("refused", 452, vec![]));
        assert_eq!(come_to(&[550]), ("refused", 550, vec![]));
        assert_eq!(come_to(&[0]), ("unsure", 451, vec![]));
    }

    #[test]
    fn several_answers_come_to_the_one_that_loses_nothing() {
        for (codes, how, code) in [
            (&[250, 251][..], "accepted", 250),
            (&[550, 554], "refused", 550),
            (&[550, 452], "refused", 452),
            (&[452, 450, 550], "refused", 452),
            (&[550, 421], "refused", 451),
            // A soft code is a "try again" like any other.
            (&[550, 553], "refused", 451),
            (&[550, 0], "unsure", 451),
            (&[0, 0], "unsure", 451),
            (&[], "not sent", 451),
        ] {
            assert_eq!(come_to(codes), (how, code, vec![]), "{codes:?}");
        }
    }

    #[test]
    fn whoever_is_left_out_is_named() {
        for (codes, missed) in [
            (&[250, 550][..], &[1][..]),
            (&[452, 250, 550], &[0, 2]),
            (&[250, 0, 0], &[1, 2]),
            (&[250, 421, 0], &[1, 2]),
        ] {
            assert_eq!(come_to(codes), ("partly", 451, missed.to_vec()), "{codes:?}");
        }
    }
}
