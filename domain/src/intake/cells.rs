//! How a record offers its cells, whatever parsed it.

/// The cells of one record, in the order of the header.
pub trait Cells {
    /// How many cells the record has.
    fn len(&self) -> usize;

    /// The text of a cell; `index` is below [`Cells::len`].
    fn cell(&self, index: usize) -> &str;

    /// Whether the record has no cell at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: AsRef<str>> Cells for [S] {
    fn len(&self) -> usize {
        <[S]>::len(self)
    }

    fn cell(&self, index: usize) -> &str {
        self[index].as_ref()
    }
}

impl<S: AsRef<str>> Cells for Vec<S> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn cell(&self, index: usize) -> &str {
        self[index].as_ref()
    }
}
