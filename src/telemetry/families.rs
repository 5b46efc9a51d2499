//! Children of a metric, found by their words without hashing, and fixed in number.
//!
//! A [`Table`] has one child for each combination of words of closed sets; a word outside its set
//! leads to the one child that counts everything else. Knows nothing of what is counted.

/// The children of one metric with `N` labels.
#[derive(Debug)]
pub(super) struct Table<M, const N: usize> {
    words: [&'static [&'static str]; N],
    children: Vec<M>,
    other: M,
}

impl<M, const N: usize> Table<M, N> {
    /// Makes every child, from the words of its labels.
    pub(super) fn new(
        words: [&'static [&'static str]; N],
        other: M,
        mut child: impl FnMut([&'static str; N]) -> M,
    ) -> Self {
        let count = words.iter().map(|set| set.len()).product();
        let mut children = Vec::with_capacity(count);
        for index in 0..count {
            children.push(child(labels_at(words, index)));
        }
        Self { words, children, other }
    }

    /// The child of these labels.
    pub(super) fn get(&self, labels: [&str; N]) -> &M {
        self.find(labels).unwrap_or(&self.other)
    }

    /// Every combination of words with its child.
    pub(super) fn iter(&self) -> impl Iterator<Item = ([&'static str; N], &M)> {
        self.children
            .iter()
            .enumerate()
            .map(|(index, child)| (labels_at(self.words, index), child))
    }

    fn find(&self, labels: [&str; N]) -> Option<&M> {
        let mut index = 0;
        for (set, label) in self.words.iter().zip(labels) {
            index = index * set.len() + set.iter().position(|word| *word == label)?;
        }
        self.children.get(index)
    }
}

/// The last label turns fastest.
fn labels_at<const N: usize>(words: [&'static [&'static str]; N], index: usize) -> [&'static str; N] {
    let mut rest = index;
    let mut labels = [""; N];
    for (label, set) in labels.iter_mut().zip(words).rev() {
        *label = set.get(rest % set.len()).copied().unwrap_or_default();
        rest /= set.len();
    }
    labels
}

/// The children of a metric with two labels of which only some pairs make sense.
#[derive(Debug)]
pub(super) struct Pairs<M> {
    children: Vec<(&'static str, &'static str, M)>,
    other: M,
}

impl<M> Pairs<M> {
    /// Makes every child, from its pair of words.
    pub(super) fn new(
        pairs: &'static [(&'static str, &'static [&'static str])],
        other: M,
        mut child: impl FnMut([&'static str; 2]) -> M,
    ) -> Self {
        let children = pairs
            .iter()
            .flat_map(|(first, seconds)| seconds.iter().map(|second| (*first, *second)))
            .map(|(first, second)| (first, second, child([first, second])))
            .collect();
        Self { children, other }
    }

    /// The child of this pair.
    pub(super) fn get(&self, first: &str, second: &str) -> &M {
        self.children
            .iter()
            .find(|(known_first, known_second, _)| *known_first == first && *known_second == second)
            .map_or(&self.other, |(_, _, child)| child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&[&str]; 3] = [&["a", "b"], &["x", "y", "z"], &["0", "1"]];

    #[test]
    fn each_combination_has_its_own_child() {
        let table = Table::new(WORDS, "other".to_owned(), |labels| labels.concat());
        assert_eq!(table.iter().count(), 12);
        for (labels, child) in table.iter() {
            assert_eq!(*child, labels.concat());
            assert_eq!(table.get(labels), child);
        }
        assert_eq!(table.get(["a", "q", "0"]), "other");
        assert_eq!(table.get(["", "x", "0"]), "other");
    }

    #[test]
    fn pairs_that_make_no_sense_are_other() {
        let pairs = Pairs::new(&[("a", &["1", "2"]), ("b", &["2"])], "other".to_owned(), |labels| {
            labels.concat()
        });
        for (first, second, expected) in [
            ("a", "1", "a1"),
            ("a", "2", "a2"),
            ("b", "2", "b2"),
            ("b", "1", "other"),
            ("c", "1", "other"),
        ] {
            assert_eq!(pairs.get(first, second), expected);
        }
    }
}
