//! Mixed outcomes: what three recipients' verdicts, upstream's answers and the store's troubles come to,
//! as a table; and what must hold for every combination.

use super::*;
use crate::action::plan;
use crate::rules::Action;

/// A message to a, b and c. `+` deliver, `t` tag, `d` defer, `q` quarantine, `r` reject.
///
/// Upstream: `smtp` or `lmtp`, then what goes wrong there: a code to the whole message or, in LMTP, to
/// one recipient; `gone` is a connection that ends in place of an answer. Store: `fine`; `full`, it can keep
/// nothing; `filling`, only the first of two; `stuck`, it can't move on what it keeps.
const TABLE: &str = "
    verdicts  peer      upstream                 store    | reply  delivered  kept
    + + +     internet  smtp                     fine     | 250    abc        -
    + t +     internet  smtp                     fine     | 250    abc        -
    t t t     internet  smtp 550                 fine     | 550    -          -
    + + +     internet  smtp 450                 fine     | 450    -          -
    + + +     internet  smtp gone                fine     | 451    -          -
    + d +     internet  smtp                     fine     | 451    -          -
    d d r     internet  smtp                     fine     | 451    -          -
    r r r     internet  smtp                     fine     | 550    -          -
    r r r     relay     smtp                     fine     | 250    -          held:abc
    r d d     relay     smtp                     fine     | 250    -          held:abc
    q q q     internet  smtp                     fine     | 250    -          held:abc
    q r d     internet  smtp                     fine     | 250    -          held:abc
    q q q     internet  smtp                     full     | 452    -          -
    + q r     internet  smtp                     fine     | 250    a          held:bc
    + q d     internet  smtp                     fine     | 250    a          held:bc
    t + r     internet  smtp                     fine     | 250    ab         held:c
    t + r     relay     smtp                     fine     | 250    ab         held:c
    + q +     internet  smtp                     full     | 452    -          -
    + q +     internet  smtp                     stuck    | 250    ac         pending:b
    + q +     internet  smtp 550                 fine     | 550    -          voided:b
    + q +     internet  smtp 550                 stuck    | 550    -          pending:b
    + q +     internet  smtp 450                 fine     | 450    -          voided:b
    + q +     internet  smtp gone                fine     | 451    -          voided:b
    + + +     internet  lmtp                     fine     | 250    abc        -
    + + +     internet  lmtp b:550               fine     | 250    ac         undelivered:b
    + + +     internet  lmtp b:450               fine     | 250    ac         undelivered:b
    + + +     internet  lmtp a:550 c:450         fine     | 250    b          undelivered:ac
    + + +     internet  lmtp b:gone              fine     | 250    a          undelivered:bc
    + + +     internet  lmtp a:550 b:550 c:550   fine     | 550    -          -
    + + +     internet  lmtp a:450 b:450 c:450   fine     | 450    -          -
    + + +     internet  lmtp a:550 b:450 c:550   fine     | 450    -          -
    + + +     internet  lmtp a:gone              fine     | 451    -          -
    + + +     internet  lmtp b:550               full     | 451    ac         -
    + + q     internet  lmtp                     fine     | 250    ab         held:c
    + + q     internet  lmtp b:550               fine     | 250    a          held:c undelivered:b
    + + q     internet  lmtp b:550               full     | 452    -          -
    + + q     internet  lmtp b:550               filling  | 451    a          voided:c
    + + q     internet  lmtp b:550               stuck    | 250    a          pending:c undelivered:b
    + + q     internet  lmtp a:550 b:550         fine     | 550    -          voided:c
    + + q     internet  lmtp a:450 b:550         fine     | 450    -          voided:c
    + + q     internet  lmtp a:gone              fine     | 451    -          voided:c
    r r +     relay     lmtp c:550               fine     | 550    -          voided:ab
";

const UPSTREAMS: [&str; 11] = [
    "smtp",
    "smtp 550",
    "smtp 450",
    "smtp gone",
    "lmtp",
    "lmtp a:550",
    "lmtp b:450",
    "lmtp b:gone",
    "lmtp a:550 b:550 c:550",
    "lmtp a:450 b:550 c:550",
    "lmtp a:gone",
];
const STORES: [&str; 4] = ["fine", "full", "filling", "stuck"];

/// One row.
#[derive(Debug, Clone)]
struct Case {
    verdicts: [Action; 3],
    relayed: bool,
    upstream: String,
    store: &'static str,
}

/// What came of one message.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    reply: u16,
    /// Who is sure to have it.
    delivered: String,
    /// State and recipients of each record, in the order of their text.
    kept: Vec<(String, String)>,
    records: usize,
}

fn action(letter: &str) -> Action {
    match letter {
        "+" => Action::Deliver,
        "t" => Action::Tag,
        "d" => Action::Defer,
        "q" => Action::Quarantine,
        "r" => Action::Reject,
        other => panic!("{other} is no verdict"),
    }
}

impl Case {
    /// Plays it.
    async fn play(&self) -> Came {
        let (protocol, troubles) = self.upstream.split_once(' ').unwrap_or((&self.upstream, ""));
        let house = if protocol == "lmtp" {
            House::lmtp().await
        } else {
            House::new().await
        };
        for trouble in troubles.split_whitespace() {
            let (whom, what) = trouble.split_once(':').unwrap_or(("", trouble));
            let act = match what {
                "550" => Act::Say("550 5.0.0 no\r\n"),
                "450" => Act::Say("450 4.0.0 later\r\n"),
                "gone" => Act::Close,
                other => panic!("{other} is no trouble"),
            };
            house.sink.at("BODY", mailbox(whom), act);
        }
        match self.store {
            "full" => house.store.fail_next(Operation::Quarantine, 9),
            "filling" => house.store.fail_after(Operation::Quarantine, 1, 9),
            "stuck" => house.store.fail_next(Operation::Settle, 9),
            _ => {}
        }
        let mail = undelivered::to_three(2);
        let outcome = house.perform_on(&mail, plan::plan(&self.verdicts, self.relayed)).await;
        let mut kept: Vec<(String, String)> = house
            .states()
            .await
            .into_iter()
            .map(|(state, recipients)| (state.as_str().to_owned(), letters(&recipients.join(" "))))
            .collect();
        kept.sort();
        Came {
            reply: outcome.reply.code(),
            delivered: self.delivered(&house),
            kept,
            records: house.journal().await.len(),
        }
    }

    /// Whom the sink was sent it for and told yes.
    fn delivered(&self, house: &House) -> String {
        let sent: String = house
            .sink
            .taken()
            .iter()
            .flat_map(|taken| &taken.commands)
            .filter_map(|command| command.strip_prefix("RCPT TO:<"))
            .map(letters_of_one)
            .collect();
        let troubles = self.upstream.split_whitespace().skip(1);
        let mut answered = sent;
        for trouble in troubles {
            match trouble.split_once(':') {
                None => answered.clear(),
                // Nothing comes after it either.
                Some((whom, "gone")) => answered.truncate(answered.find(whom).unwrap_or(answered.len())),
                Some((whom, _)) => answered.retain(|letter| !whom.contains(letter)),
            }
        }
        answered
    }
}

/// How a scripted answer names a recipient.
fn mailbox(letter: &str) -> &'static str {
    match letter {
        "" => "",
        "a" => "a@",
        "b" => "b@",
        "c" => "c@",
        other => panic!("nobody is called {other}"),
    }
}

fn letters_of_one(address: &str) -> String {
    address.chars().take(1).collect()
}

/// `a@example.net c@example.net` is `ac`.
fn letters(addresses: &str) -> String {
    addresses.split_whitespace().map(letters_of_one).collect()
}

fn row(line: &'static str) -> (Case, Came) {
    let (given, expected) = line.split_once('|').unwrap();
    let words: Vec<&'static str> = given.split_whitespace().collect();
    let ([a, b, c, peer, upstream @ ..], [store]) = words.split_at(words.len() - 1) else {
        panic!("{line}");
    };
    let case = Case {
        verdicts: [action(a), action(b), action(c)],
        relayed: *peer == "relay",
        upstream: upstream.join(" "),
        store,
    };
    let words: Vec<&str> = expected.split_whitespace().filter(|word| *word != "-").collect();
    let is_kept = |word: &&&str| word.contains(':');
    let kept = words.iter().filter(is_kept).filter_map(|word| word.split_once(':'));
    let came = Came {
        reply: words[0].parse().unwrap(),
        delivered: words[1..]
            .iter()
            .find(|word| !is_kept(word))
            .map_or(String::new(), |word| (*word).to_owned()),
        kept: kept.map(|(state, whom)| (state.to_owned(), whom.to_owned())).collect(),
        records: 1,
    };
    (case, came)
}

#[tokio::test(start_paused = true)]
async fn mixed_outcomes_are_as_the_table_says() {
    let rows = TABLE.lines().skip(2).filter(|line| !line.trim().is_empty());
    let mut faults = Vec::new();
    let mut count = 0;
    for line in rows {
        let (case, expected) = row(line);
        let came = case.play().await;
        if came != expected {
            faults.push(format!("{line}\n    came to {came:?}"));
        }
        count += 1;
    }
    assert_eq!(count, 42);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What may never be, whatever meets.
fn amiss(case: &Case, came: &Came) -> Option<&'static str> {
    let in_state = |states: &[&str], letter: char| {
        came.kept
            .iter()
            .filter(|(state, whom)| states.contains(&state.as_str()) && whom.contains(letter))
            .count()
    };
    let is_yes = came.reply / 100 == 2;
    for (letter, verdict) in "abc".chars().zip(case.verdicts) {
        let got = usize::from(came.delivered.contains(letter));
        let ours = in_state(&["held", "undelivered", "pending"], letter);
        if is_yes && got + ours != 1 {
            return Some("a recipient is accounted for not once");
        }
        if got == 1 && verdict > Action::Tag {
            return Some("someone got what the verdict withholds");
        }
        if !is_yes && in_state(&["held", "undelivered"], letter) > 0 {
            return Some("what the sender still has is ours to release");
        }
        if got == 1 && ours > 0 {
            return Some("someone has it and would get it again");
        }
    }
    let is_policy = case.upstream == "smtp" || case.upstream == "lmtp";
    if case.relayed && is_policy && came.reply / 100 == 5 {
        return Some("a peer that queues is made to bounce");
    }
    if came.records != 1 {
        return Some("there is not one record");
    }
    None
}

/// Every triple of verdicts comes to one of a few plans; each of those meets everything else.
#[tokio::test(start_paused = true)]
async fn whatever_meets_nobody_is_forgotten_and_nobody_gets_it_twice() {
    let mut plans: Vec<(Plan, [Action; 3], bool)> = Vec::new();
    for (a, b) in Action::ALL.into_iter().flat_map(|a| Action::ALL.map(|b| (a, b))) {
        for (c, relayed) in Action::ALL.into_iter().flat_map(|c| [(c, false), (c, true)]) {
            let mut made = plan::plan(&[a, b, c], relayed);
            if let Plan::Relay { tagged, .. } = &mut made {
                *tagged = false;
            }
            if !plans.iter().any(|(known, ..)| *known == made) {
                plans.push((made, [a, b, c], relayed));
            }
        }
    }
    // To everybody, to six subsets, and the three that upstream has no part in.
    assert_eq!(plans.len(), 10);
    for (made, verdicts, relayed) in plans {
        let goes_on = matches!(made, Plan::Relay { .. });
        for upstream in UPSTREAMS.iter().take(if goes_on { UPSTREAMS.len() } else { 1 }) {
            for store in STORES {
                let case = Case {
                    verdicts,
                    relayed,
                    upstream: (*upstream).to_owned(),
                    store,
                };
                let came = case.play().await;
                assert_eq!(amiss(&case, &came), None, "{case:?}: {came:?}");
            }
        }
    }
}
