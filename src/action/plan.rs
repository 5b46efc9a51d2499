//! One reply for many recipients: what to do when their actions differ, pure.
//!
//! Knows nothing of stores and upstreams.

use crate::rules::Action;

/// What is done with one message. Numbers are places in the envelope's recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Goes on to `to`; is kept for `keep`, which may be empty.
    Relay {
        /// Whether it is marked. One message, one set of headers: if anyone's copy is to be tagged, all are.
        tagged: bool,
        /// Who gets it.
        to: Vec<usize>,
        /// For whom it is quarantined.
        keep: Vec<usize>,
    },
    /// Kept for everyone; the client is told 250.
    Quarantine,
    /// 4xx.
    Defer,
    /// 5xx.
    Reject,
}

/// Makes one plan of the recipients' actions.
///
/// `relayed` says that the peer queues mail and would bounce what we refuse to a sender that may
/// be forged: reject then becomes quarantine. With no recipients there is nothing to do but refuse.
pub fn plan(actions: &[Action], relayed: bool) -> Plan {
    let softened = |action: &Action| {
        if relayed && *action == Action::Reject {
            Action::Quarantine
        } else {
            *action
        }
    };
    let actions: Vec<Action> = actions.iter().map(softened).collect();
    let has = |action: Action| actions.contains(&action);
    let goes_on = |action: Action| action <= Action::Tag;

    if actions.iter().all(|action| *action == Action::Reject) {
        return Plan::Reject;
    }
    // The sender comes back for all of them, so nobody's copy may go on now.
    if has(Action::Defer) && !has(Action::Quarantine) {
        return Plan::Defer;
    }
    if actions.iter().any(|action| goes_on(*action)) {
        let (to, keep) =
            (0..actions.len()).partition(|place| actions.get(*place).is_some_and(|action| goes_on(*action)));
        return Plan::Relay {
            tagged: has(Action::Tag),
            to,
            keep,
        };
    }
    Plan::Quarantine
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Defer, Deliver, Quarantine, Reject, Tag};

    fn relay(tagged: bool, to: &[usize], keep: &[usize]) -> Plan {
        Plan::Relay {
            tagged,
            to: to.to_vec(),
            keep: keep.to_vec(),
        }
    }

    #[test]
    fn one_recipient_gets_its_own_action() {
        assert_eq!(plan(&[Deliver], false), relay(false, &[0], &[]));
        assert_eq!(plan(&[Tag], false), relay(true, &[0], &[]));
        assert_eq!(plan(&[Defer], false), Plan::Defer);
        assert_eq!(plan(&[Quarantine], false), Plan::Quarantine);
        assert_eq!(plan(&[Reject], false), Plan::Reject);
    }

    #[test]
    fn a_defer_for_any_defers_all_unless_one_is_quarantined() {
        assert_eq!(plan(&[Deliver, Defer], false), Plan::Defer);
        assert_eq!(plan(&[Reject, Defer], false), Plan::Defer);
        assert_eq!(plan(&[Deliver, Defer, Quarantine], false), relay(false, &[0], &[1, 2]));
        assert_eq!(plan(&[Defer, Quarantine], false), Plan::Quarantine);
    }

    #[test]
    fn beside_a_delivery_or_a_quarantine_a_reject_becomes_quarantine() {
        assert_eq!(plan(&[Reject, Deliver], false), relay(false, &[1], &[0]));
        assert_eq!(plan(&[Reject, Tag, Deliver], false), relay(true, &[1, 2], &[0]));
        assert_eq!(plan(&[Reject, Quarantine], false), Plan::Quarantine);
    }

    #[test]
    fn a_relaying_peer_is_never_made_to_bounce() {
        assert_eq!(plan(&[Reject], true), Plan::Quarantine);
        assert_eq!(plan(&[Reject, Deliver], true), relay(false, &[1], &[0]));
        assert_eq!(plan(&[Reject, Defer], true), Plan::Quarantine);
    }

    /// Every pair and triple: nobody is forgotten, nobody gets what another's action forbids.
    #[test]
    fn every_combination_accounts_for_every_recipient() {
        for a in Action::ALL {
            for b in Action::ALL {
                for c in Action::ALL {
                    for relayed in [false, true] {
                        let actions = [a, b, c];
                        if let Plan::Relay { to, keep, .. } = plan(&actions, relayed) {
                            let mut all = [to.clone(), keep.clone()].concat();
                            all.sort_unstable();
                            assert_eq!(all, [0, 1, 2]);
                            assert!(to.iter().all(|place| actions[*place] <= Tag));
                            assert!(keep.iter().all(|place| actions[*place] > Tag));
                        }
                        assert!(!(relayed && plan(&actions, relayed) == Plan::Reject));
                    }
                }
            }
        }
    }
}
