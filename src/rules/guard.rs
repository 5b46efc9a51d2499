//! Whether a new generation may follow the one in force without anyone insisting.
//!
//! Two rule sets go in; out come the lists that vanished, emptied or shrank too much. A list that
//! was cut short by accident would turn every `not in` true. Knows nothing of how sets are loaded.

use super::RuleSet;
use super::diagnostic::Diagnostic;
use super::set::ListInfo;

/// Refuses a generation whose lists lost more than half of their entries.
///
/// # Errors
/// A diagnostic for each such list.
pub fn guard(old: &RuleSet, new: &RuleSet) -> Result<(), Vec<Diagnostic>> {
    compare(old.lists(), new.lists())
}

fn compare(old: &[ListInfo], new: &[ListInfo]) -> Result<(), Vec<Diagnostic>> {
    let refused: Vec<Diagnostic> = old.iter().filter_map(|before| lost(before, new)).collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

fn lost(before: &ListInfo, new: &[ListInfo]) -> Option<Diagnostic> {
    let name = format!("${}", before.name);
    let entries = before.entries;
    let (code, message) = match new.iter().find(|list| list.name == before.name) {
        None => (
            "list-vanished",
            format!("the list {name} vanished; it had {entries} entries"),
        ),
        Some(after) if entries > 0 && after.entries == 0 => (
            "list-emptied",
            format!("the list {name} is empty; it had {entries} entries"),
        ),
        Some(after) if after.entries.saturating_mul(2) < entries => (
            "list-shrank",
            format!("the list {name} shrank from {entries} entries to {}", after.entries),
        ),
        Some(_) => return None,
    };
    Some(Diagnostic::file_error(code, name, message).help("if this is meant, reload with --force"))
}

#[cfg(test)]
mod tests {
    use super::super::lists::ListKind;
    use super::*;

    fn list(name: &str, entries: usize) -> ListInfo {
        ListInfo {
            name: name.to_owned(),
            kind: ListKind::Domain,
            entries,
            modified: None,
        }
    }

    #[test]
    fn a_list_may_lose_half_but_no_more() {
        for (before, after, code) in [
            (10, 5, None),
            (10, 6, None),
            (10, 4, Some("list-shrank")),
            (11, 5, Some("list-shrank")),
            (1, 0, Some("list-emptied")),
            (0, 0, None),
            (2, 1, None),
            (0, 7, None),
        ] {
            let refused = compare(&[list("a", before)], &[list("a", after)]).err();
            let found = refused.and_then(|refused| refused.first().map(|first| first.code));
            assert_eq!(found, code, "{before} to {after}");
        }
        let refused = compare(&[list("a", 3), list("b", 0)], &[list("c", 3)]).unwrap_err();
        assert_eq!(refused.iter().map(|d| d.code).collect::<Vec<_>>(), ["list-vanished"; 2]);
    }
}
