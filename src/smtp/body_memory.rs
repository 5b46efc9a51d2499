//! Where the octets of one body lie: on the heap while it is small, then in pages of its own.
//!
//! Pages go back to the system in the moment in which the body is dropped. What an allocator keeps of freed
//! memory, to have it at hand, would stand beside the budget: when a crowd is told that there is no memory,
//! half a gigabyte at once. Knows nothing of what the octets are, nor of how many may be had.

use memmap2::{MmapMut, MmapOptions};
use std::sync::{Arc, Mutex, PoisonError};

/// A body up to this many octets lies on the heap, and is moved as it grows: the part that is free of the
/// budget.
pub(super) const HEAP_MOST: usize = 64 * 1024;

/// Pages that are kept for the next body: of one body at most so many octets, and of all together. What the
/// system has to clear first costs a body of a megabyte a fifth of all its time.
const SPARE_OF_ONE_MOST: usize = 2 << 20;
const SPARE_MOST: usize = 8 << 20;

/// Octets one after the other, as many as room was made for.
#[derive(Debug)]
pub struct BodyMemory {
    place: Place,
    length: usize,
    spare: Arc<Spare>,
}

/// Pages of bodies that are gone, for those to come.
#[derive(Debug, Default)]
pub struct Spare(Mutex<Vec<Used>>);

/// Pages, and up to where bodies before have written to them.
#[derive(Debug)]
struct Used {
    pages: MmapMut,
    written: usize,
}

#[derive(Debug)]
enum Place {
    Heap(Vec<u8>),
    Pages(Used),
}

impl Spare {
    /// Pages for so many octets, if there are any.
    fn take(&self, octets: usize) -> Option<Used> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is too small since a limit was raised would keep out what isn't.
        kept.retain(|used| used.pages.len() >= octets);
        kept.pop()
    }

    /// Keeps pages, unless there are enough.
    fn keep(&self, used: Used) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_all: usize = kept.iter().map(|used| used.written).sum();
        if used.written <= SPARE_OF_ONE_MOST && in_all + used.written <= SPARE_MOST {
            kept.push(used);
        }
    }
}

impl BodyMemory {
    /// Nothing, with no room. Pages come from what is spare, and go back to it.
    pub const fn new(spare: Arc<Spare>) -> Self {
        Self {
            place: Place::Heap(Vec::new()),
            length: 0,
            spare,
        }
    }

    /// Drops what is in it, and its room.
    pub fn clear(&mut self) {
        let emptied = Self::new(Arc::clone(&self.spare));
        *self = emptied;
    }

    /// Octets that are in it.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What is in it.
    pub fn as_slice(&self) -> &[u8] {
        let all = match &self.place {
            Place::Heap(octets) => octets.as_slice(),
            Place::Pages(used) => &used.pages,
        };
        all.get(..self.length).unwrap_or_default()
    }

    /// Makes room for `octets` in all, and says whether there is. Pages are mapped for as many as there may
    /// be `in_the_end`, if the system lets us: addresses cost nothing until they are written to, and moving tens
    /// of megabytes would.
    pub fn reserve(&mut self, octets: usize, in_the_end: usize) -> bool {
        if octets <= self.room() {
            return true;
        }
        if octets <= HEAP_MOST
            && let Place::Heap(heap) = &mut self.place
        {
            return heap.try_reserve_exact(octets - heap.len()).is_ok();
        }
        [in_the_end.max(octets), octets].into_iter().any(|size| self.map(size))
    }

    /// Adds octets for which room was made; `false`, and adds none, if it wasn't.
    pub fn append(&mut self, octets: &[u8]) -> bool {
        let after = self.length + octets.len();
        match &mut self.place {
            Place::Heap(heap) if after <= heap.capacity() => heap.extend_from_slice(octets),
            Place::Heap(_) => return false,
            Place::Pages(used) => match used.pages.get_mut(self.length..after) {
                Some(free) => free.copy_from_slice(octets),
                None => return false,
            },
        }
        self.length = after;
        true
    }

    fn room(&self) -> usize {
        match &self.place {
            Place::Heap(heap) => heap.capacity(),
            Place::Pages(used) => used.pages.len(),
        }
    }

    /// Moves to pages of this size.
    fn map(&mut self, size: usize) -> bool {
        // No swap is set aside for what may never be written to.
        let fresh = || MmapOptions::new().len(size).no_reserve_swap().map_anon().ok();
        let fresh = || fresh().map(|pages| Used { pages, written: 0 });
        let Some(mut used) = self.spare.take(size).or_else(fresh) else {
            return false;
        };
        let octets = self.as_slice();
        let Some(begin) = used.pages.get_mut(..octets.len()) else {
            return false;
        };
        begin.copy_from_slice(octets);
        self.place = Place::Pages(used);
        true
    }
}

impl Drop for BodyMemory {
    fn drop(&mut self) {
        if let Place::Pages(mut used) = std::mem::replace(&mut self.place, Place::Heap(Vec::new())) {
            used.written = used.written.max(self.length);
            self.spare.keep(used);
        }
    }
}

impl AsRef<[u8]> for BodyMemory {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_stay_as_room_grows_from_heap_to_pages() {
        let mut memory = BodyMemory::new(Arc::default());
        let (mut expected, mut places) = (Vec::new(), Vec::new());
        for room in [
            1,
            100,
            HEAP_MOST - 1,
            HEAP_MOST,
            HEAP_MOST + 1,
            3 * HEAP_MOST,
            40 * HEAP_MOST,
        ] {
            assert!(memory.reserve(room, 4 * HEAP_MOST));
            assert_eq!(matches!(memory.place, Place::Pages(_)), room > HEAP_MOST, "{room}");
            let octets: Vec<u8> = (expected.len()..room).map(|at| at as u8).collect();
            assert!(memory.append(&octets));
            expected.extend(octets);
            assert_eq!((memory.len(), memory.as_slice()), (room, &*expected));
            places.push((memory.room(), memory.as_slice().as_ptr()));
        }
        assert!(!memory.is_empty());
        let large: Vec<_> = places.iter().filter(|(room, _)| *room == 4 * HEAP_MOST).collect();
        assert!(large.len() == 2 && large[0] == large[1], "moved once only: {places:?}");
    }

    #[test]
    fn nothing_is_added_beyond_its_room() {
        let mut memory = BodyMemory::new(Arc::default());
        assert!(memory.is_empty() && !memory.append(b"a") && memory.append(b""));
        for room in [10, HEAP_MOST + 10] {
            assert!(memory.reserve(room, room));
            let left = memory.room() - memory.len();
            assert!(!memory.append(&vec![b'a'; left + 1]));
            assert!(memory.append(&vec![b'a'; left]));
        }
    }

    #[test]
    fn more_addresses_than_there_are_fall_back_to_what_is_needed() {
        let mut memory = BodyMemory::new(Arc::default());
        assert!(memory.reserve(HEAP_MOST + 1, usize::MAX / 2) && memory.room() == HEAP_MOST + 1);
        assert!(!memory.reserve(usize::MAX / 2, usize::MAX / 2));
        assert!(memory.append(&[7; HEAP_MOST]) && memory.len() == HEAP_MOST);
    }

    #[test]
    fn pages_serve_the_next_body_but_never_more_than_a_few() {
        let spare: Arc<Spare> = Arc::default();
        let filled = |octets: usize| {
            let mut memory = BodyMemory::new(Arc::clone(&spare));
            assert!(memory.reserve(octets, SPARE_MOST));
            assert!(memory.append(&vec![1; octets]));
            memory
        };
        let kept = || spare.0.lock().unwrap().iter().map(|used| used.written).sum::<usize>();
        let first = filled(SPARE_OF_ONE_MOST);
        let place = first.as_slice().as_ptr();
        drop(first);
        assert_eq!(kept(), SPARE_OF_ONE_MOST);
        let mut second = BodyMemory::new(Arc::clone(&spare));
        assert!(second.reserve(HEAP_MOST + 1, SPARE_MOST) && second.append(b"ab"));
        assert_eq!(
            (second.as_slice(), second.as_slice().as_ptr(), kept()),
            (&b"ab"[..], place, 0)
        );
        second.clear();
        assert!(
            second.is_empty() && kept() == SPARE_OF_ONE_MOST,
            "as far as the first wrote"
        );
        drop(filled(SPARE_OF_ONE_MOST + 1));
        assert_eq!(kept(), 0, "it took what was there, and is too large to stay");
        let many: Vec<_> = (0..6).map(|_| filled(SPARE_OF_ONE_MOST)).collect();
        drop(many);
        assert_eq!(kept(), SPARE_MOST);
        // What is too small for what there may be in the end makes way.
        let mut larger = BodyMemory::new(Arc::clone(&spare));
        assert!(larger.reserve(HEAP_MOST + 1, 2 * SPARE_MOST) && kept() == 0);
    }
}
