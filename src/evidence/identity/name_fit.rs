//! Whether a display name and the address behind it have anything in common.
//!
//! Enters: a name and an address. Leaves: whether a word of the name, or the first letters of its words, stand in
//! the address. Most people and firms write from an address that tells who they are; whoever borrows a name for
//! an address that they happen to have doesn't. Knows nothing of whose name it is.

use super::fold;

/// Shorter words stand in any address by chance.
const WORD: usize = 3;

/// Of a longer word so many letters from its start or its end tell it.
const LONG_START: usize = 4;
const LONG_END: usize = 6;

/// Whether `name` goes with `address`; true where there is no name, or none that an address could hold.
pub fn name_fits(name: &str, address: &str) -> bool {
    let address = squeezed(address);
    let words = fold::words(name);
    let mut told = words.iter().filter(|word| word.is_ascii()).peekable();
    if told.peek().is_none() {
        return true;
    }
    let initials: String = told.clone().filter_map(|word| word.chars().next()).collect();
    let is_there = |part: &str| part.len() >= WORD && address.contains(part);
    let is_written_out = told.clone().any(|word| word.len() >= WORD);
    let is_told = |word: &String| is_there(word) || is_there_in_part(word, &address);
    told.any(is_told) || is_there(&initials) || !is_written_out
}

/// Whether the beginning or the end of a long word is there: `infogov`, `parksdept`, `mh-verbund`.
fn is_there_in_part(word: &str, address: &str) -> bool {
    let end = word.len().saturating_sub(LONG_END);
    word.len() > LONG_END
        && [word.get(..LONG_START), word.get(end..)]
            .into_iter()
            .flatten()
            .any(|part| address.contains(part))
}

/// An address without what only divides it, in the form of names' words.
fn squeezed(address: &str) -> String {
    let key = fold::key(address);
    key.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::name_fits;

    #[test]
    fn a_name_fits_by_a_word_or_its_initials() {
        for (name, address) in [
            ("Priya Shah", "p.shah82@post.example"),
            ("Shah, Priya", "priya@post.example"),
            ("Müller Bau", "info@mueller-bau.example"),
            ("José Álvarez", "jose@post.example"),
            ("Fern & Fold", "news@mail.fernandfold.example"),
            ("Driver Vehicle Agency", "no-reply@dva.example"),
            ("Mill Lane", "mi.ll-lane@post.example"),
            ("Information Governance", "infogov@post.example"),
            ("Verkehrsverbund Mittelhain", "umfrage@mh-verbund.example"),
            ("", "x7@post.example"),
            ("J. B.", "x7@post.example"),
            ("Иван Петров", "box@post.example"),
            ("山田 太郎", "box@post.example"),
        ] {
            assert!(name_fits(name, address), "{name} {address}");
        }
    }

    #[test]
    fn a_borrowed_name_does_not() {
        for (name, address) in [
            ("Parcel Service", "amanda@villa-sol.example"),
            ("Jane Doe", "office.desk.71@post.example"),
            ("Rewards!", "x7k2q9@d5pv3tt8quw.example"),
        ] {
            assert!(!name_fits(name, address), "{name} {address}");
        }
    }
}
