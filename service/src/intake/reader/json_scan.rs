//! Where a JSON value ends: strings, escapes and brackets are followed, in one loop without recursion. The rest of
//! the grammar (RFC 8259) is left to the parser that reads the value.

use memchr::memchr3;

/// Nested values whose kind is remembered: one bit each.
const KINDS_MAX: u32 = u64::BITS;

/// Whether the value is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes on behind the bytes that were fed.
    More,
    /// It ends before that position of the bytes that were fed.
    End(usize),
}

/// Where the scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    InString,
    /// Behind a backslash in a string.
    InEscape,
}

/// The state of scanning one value; it is fed the value's bytes piece by piece, from the first one on.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// The value is an element of an array, whose closing bracket ends it.
    enclosed: bool,
    depth: u32,
    deepest: u32,
    /// Bit `i` is set when the value at depth `i + 1` is an object; beyond 64 the kind is not known.
    objects: u64,
    place: Place,
    /// The last byte outside strings that is no white space; 0 before the first.
    previous: u8,
    /// A bracket closes what another kind opened, a string contains a line end, or a value begins where none may.
    broken: bool,
}

impl Scan {
    pub(super) fn new(enclosed: bool) -> Self {
        Self { enclosed, depth: 0, deepest: 0, objects: 0, place: Place::Outside, previous: 0, broken: false }
    }

    /// Whether brackets or strings were found not to match so far.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The deepest nesting so far.
    pub(super) fn deepest(&self) -> u32 {
        self.deepest
    }

    /// Whether the value may end here: it is a number or a literal, whose end only the next byte shows.
    pub(super) fn may_end(&self) -> bool {
        self.depth == 0 && self.place == Place::Outside && self.previous != 0
    }

    /// Follows the next bytes of the value.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Step {
        let mut position = 0;
        while let Some(byte) = bytes.get(position).copied() {
            if self.place != Place::Outside {
                match self.pass_string(bytes, position) {
                    Some(end) => position = end,
                    None => return Step::More,
                }
                if self.depth == 0 {
                    return Step::End(position);
                }
                continue;
            }
            match byte {
                b'"' if self.depth == 0 && self.previous != 0 => return self.end_broken(position),
                b'"' => self.place = Place::InString,
                b'{' | b'[' => {
                    if self.cannot_begin(byte) {
                        return self.end_broken(position);
                    }
                    self.open(byte == b'{');
                }
                b'}' | b']' => {
                    if self.depth == 0 && self.enclosed && byte == b']' {
                        return Step::End(position);
                    }
                    if !self.close(byte == b'}') {
                        return Step::End(position);
                    }
                    if self.depth == 0 {
                        return Step::End(position + 1);
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' | b',' if self.depth == 0 => return Step::End(position),
                b' ' | b'\t' | b'\r' | b'\n' => {
                    position += 1;
                    continue;
                }
                _ => {}
            }
            self.previous = byte;
            position += 1;
        }
        Step::More
    }

    /// The position behind the string that `position` is in, or behind the line end that breaks it.
    fn pass_string(&mut self, bytes: &[u8], mut position: usize) -> Option<usize> {
        if self.place == Place::InEscape {
            self.place = Place::InString;
            position += 1;
        }
        loop {
            let found = position + memchr3(b'"', b'\\', b'\n', bytes.get(position..)?)?;
            match bytes[found] {
                b'\\' if found + 1 < bytes.len() => position = found + 2,
                b'\\' => {
                    self.place = Place::InEscape;
                    return None;
                }
                byte => {
                    self.place = Place::Outside;
                    if byte == b'\n' {
                        self.broken = true;
                        return Some(found);
                    }
                    return Some(found + 1);
                }
            }
        }
    }

    /// In an object a value begins only behind a colon: elsewhere the object lost its closing bracket, and here the next value
    /// begins. The same holds behind a number or literal that stands alone.
    fn cannot_begin(&self, byte: u8) -> bool {
        if self.depth == 0 {
            return self.previous != 0;
        }
        let in_object = self.depth <= KINDS_MAX && self.objects & (1 << (self.depth - 1)) != 0;
        byte == b'{' && in_object && self.previous != b':'
    }

    fn end_broken(&mut self, position: usize) -> Step {
        self.broken = true;
        Step::End(position)
    }

    fn open(&mut self, object: bool) {
        if self.depth < KINDS_MAX {
            let bit = 1 << self.depth;
            self.objects = if object { self.objects | bit } else { self.objects & !bit };
        }
        self.depth = self.depth.saturating_add(1);
        self.deepest = self.deepest.max(self.depth);
    }

    /// Closes the innermost value of that kind. False: the bracket belongs to the array around the value.
    fn close(&mut self, object: bool) -> bool {
        if self.depth > KINDS_MAX {
            self.depth -= 1;
            return true;
        }
        let same_kind = if object { self.objects } else { !self.objects };
        let open = if self.depth == KINDS_MAX { u64::MAX } else { (1 << self.depth) - 1 };
        let depth = KINDS_MAX - (same_kind & open).leading_zeros();
        if depth != self.depth || depth == 0 {
            self.broken = true;
        }
        if depth == 0 {
            return object || !self.enclosed;
        }
        self.depth = depth - 1;
        true
    }
}
