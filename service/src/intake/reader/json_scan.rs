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

/// What surrounds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    /// An array, whose closing bracket ends a number or literal.
    Array,
    /// The value is not closed, but its last byte may be the closing bracket of the array.
    MaybeEndedArray,
}

/// The state of scanning one value; it is fed the value's bytes piece by piece, from the first one on.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    around: Around,
    depth: u32,
    deepest: u32,
    /// Bit `i` is set when the value at depth `i + 1` is an object; beyond 64 the kind is not known.
    objects: u64,
    place: Place,
    /// The last byte outside strings that is no white space; 0 before the first.
    previous: u8,
    /// Line ends within the value, outside its strings.
    line_ends: u32,
    /// A line end is the last thing outside strings but for blanks.
    fresh_line: bool,
    /// A bracket closes what another kind opened, a string contains a line end, or a value begins where none may.
    broken: bool,
}

impl Scan {
    /// `enclosed`: the value is an element of an array.
    pub(super) fn new(enclosed: bool) -> Self {
        Self {
            around: if enclosed { Around::Array } else { Around::Nothing },
            depth: 0,
            deepest: 0,
            objects: 0,
            place: Place::Outside,
            previous: 0,
            line_ends: 0,
            fresh_line: false,
            broken: false,
        }
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

    /// Whether the last byte may be the closing bracket of the array around a value that is not closed itself.
    pub(super) fn may_have_ended_array(&self) -> bool {
        self.around == Around::MaybeEndedArray
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
                b' ' | b'\t' | b'\r' | b'\n' | b',' if self.depth == 0 => return Step::End(position),
                b' ' | b'\t' | b'\r' | b'\n' => {
                    if byte == b'\n' {
                        self.line_ends = self.line_ends.saturating_add(1);
                        self.fresh_line = true;
                    }
                    position += 1;
                    continue;
                }
                b']' if self.depth == 0 && self.around != Around::Nothing => return Step::End(position),
                b'"' | b'{' | b'[' if self.begins_next(byte) => {
                    self.broken = true;
                    return Step::End(position);
                }
                _ => self.pass_byte(byte),
            }
            position += 1;
            if self.depth == 0 && matches!(byte, b'}' | b']') {
                return Step::End(position);
            }
        }
        Step::More
    }

    /// Follows one byte outside strings.
    fn pass_byte(&mut self, byte: u8) {
        if self.around == Around::MaybeEndedArray {
            self.around = Around::Array;
        }
        match byte {
            b'"' => {
                // Elsewhere a quote was lost, and what seems a string is what stands between strings.
                self.broken |= self.depth > 0 && !matches!(self.previous, b'{' | b'[' | b',' | b':');
                self.place = Place::InString;
            }
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => self.close(byte == b'}'),
            _ => {}
        }
        self.previous = byte;
        self.fresh_line = false;
    }

    /// The position behind the string that `position` is in. A line end breaks the string. It then ends the whole value if that began on the
    /// same line: the closing brackets are taken for part of the string, and the next line begins the next value.
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
                    if byte == b'"' {
                        return Some(found + 1);
                    }
                    self.broken = true;
                    if self.line_ends == 0 {
                        self.depth = 0;
                    }
                    return Some(found);
                }
            }
        }
    }

    /// Whether the byte begins the next value because this one lost its end. Within an object, an object begins only behind a colon: elsewhere it is
    /// the next value, if this one has one bracket too few or a new line begins. Within an array it may well stand, so more has to speak
    /// for it: the value is broken and stood on one line until now. Behind a number or literal that stands alone nothing begins.
    fn begins_next(&self, byte: u8) -> bool {
        let Some(inner) = self.depth.checked_sub(1) else { return self.previous != 0 };
        if byte != b'{' || self.previous == b':' || inner >= KINDS_MAX {
            return false;
        }
        if self.objects & (1 << inner) != 0 {
            inner == 0 || self.fresh_line
        } else {
            self.broken && self.fresh_line && self.line_ends == 1 && self.previous == b','
        }
    }

    fn open(&mut self, object: bool) {
        if self.depth < KINDS_MAX {
            let bit = 1 << self.depth;
            self.objects = if object { self.objects | bit } else { self.objects & !bit };
        }
        self.depth = self.depth.saturating_add(1);
        self.deepest = self.deepest.max(self.depth);
    }

    /// Closes the innermost value of that kind, and with it those inside that lost their own brackets.
    fn close(&mut self, object: bool) {
        if self.depth > KINDS_MAX {
            self.depth -= 1;
            return;
        }
        let same_kind = if object { self.objects } else { !self.objects };
        let open = if self.depth == KINDS_MAX { u64::MAX } else { (1 << self.depth) - 1 };
        let closed = KINDS_MAX - (same_kind & open).leading_zeros();
        self.broken |= closed != self.depth || closed == 0;
        match closed.checked_sub(1) {
            Some(depth) => self.depth = depth,
            // What the bracket closes was never opened. It may close the array around the value, which only the end of the file can tell.
            None if !object && self.around == Around::Array => self.around = Around::MaybeEndedArray,
            None => {}
        }
    }
}
