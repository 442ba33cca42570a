//! JSON records: the elements of an array, objects one after the other, or a value a line.

use memchr::memchr;

use super::batch::Problem;
use super::error::{FileError, code};
use super::filling::Filling;
use super::json_scan::{Scan, Step};
use super::options::Options;
use super::window::Window;

/// Splits an array into its elements, or a run of values into each.
pub(super) struct Values {
    /// Whether an array surrounds the values.
    enclosed: bool,
    place: Place,
    /// A value was broken: brackets that it lost may turn up between the values after it.
    damaged: bool,
    scan: Scan,
    /// Bytes of the current value that were scanned and are still in the window.
    scanned: usize,
    record_bytes_max: usize,
    json_depth_max: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeArray,
    BetweenValues,
    InValue,
    /// In a value that was refused already: its bytes are passed over.
    InRefusedValue,
    AfterArray,
}

impl Values {
    /// `enclosed`: the values are the elements of an array.
    pub(super) fn new(enclosed: bool, options: &Options) -> Self {
        Self {
            enclosed,
            place: if enclosed { Place::BeforeArray } else { Place::BetweenValues },
            damaged: false,
            scan: Scan::new(enclosed),
            scanned: 0,
            record_bytes_max: options.record_bytes_max,
            json_depth_max: options.json_depth_max,
        }
    }

    /// Adds the next value. False: there is none.
    pub(super) fn next(&mut self, window: &mut Window, filling: &mut Filling) -> Result<bool, FileError> {
        loop {
            match self.place {
                Place::InValue | Place::InRefusedValue => {
                    if self.pass_value(window, filling)? {
                        return Ok(true);
                    }
                }
                Place::BeforeArray | Place::BetweenValues | Place::AfterArray => {
                    let Some(byte) = self.next_byte(window)? else { return Ok(false) };
                    self.step_between(byte, window)?;
                }
            }
        }
    }

    /// The next byte that is no white space and no comma between values; it is not consumed.
    fn next_byte(&self, window: &mut Window) -> Result<Option<u8>, FileError> {
        let commas = self.place == Place::BetweenValues;
        loop {
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || commas && *byte == b',';
            let blanks = window.rest().iter().take_while(|byte| is_blank(byte)).count();
            window.consume(blanks);
            if let Some(byte) = window.rest().first() {
                return Ok(Some(*byte));
            }
            if !window.fill() {
                window.end()?;
                if self.enclosed && self.place == Place::BetweenValues {
                    let message = "The file ends before the closing bracket of its array: it is cut off. The records before that point were read; send the whole file again.";
                    return Err(FileError::new(code::JSON_UNTERMINATED, message).at_line(window.line()));
                }
                return Ok(None);
            }
        }
    }

    fn step_between(&mut self, byte: u8, window: &mut Window) -> Result<(), FileError> {
        self.place = match (self.place, byte) {
            (Place::BeforeArray, b'[') => {
                window.consume(1);
                Place::BetweenValues
            }
            (Place::BetweenValues, b']') if self.enclosed => {
                window.consume(1);
                Place::AfterArray
            }
            (Place::BetweenValues, _) => {
                self.scan = Scan::new(self.enclosed);
                self.scanned = 0;
                Place::InValue
            }
            (Place::BeforeArray, _) => {
                let message = "The file was sent as a JSON array, but does not begin with one. Send it with its own format.";
                return Err(FileError::new(code::JSON_EXPECTED, message).at_line(window.line()));
            }
            // The bracket that seemed to end the array was one of a broken value: neither follows an array.
            (_, b',' | b'}') => Place::BetweenValues,
            (_, b']') if self.damaged => Place::BetweenValues,
            _ => {
                let message = "Something follows the array that the file consists of. Its records were read; send what follows as a file of its own.";
                return Err(FileError::new(code::JSON_TRAILING, message).at_line(window.line()));
            }
        };
        Ok(())
    }

    /// Goes to the end of the value. True: a record was added.
    fn pass_value(&mut self, window: &mut Window, filling: &mut Filling) -> Result<bool, FileError> {
        let refused = self.place == Place::InRefusedValue;
        loop {
            let end = match self.scan.feed(&window.rest()[self.scanned..]) {
                Step::End(end) => Some(self.scanned + end),
                Step::More => None,
            };
            if let Some(end) = end {
                self.place = Place::BetweenValues;
                if !refused {
                    self.add(end, true, window, filling);
                }
                window.consume(end);
                self.scanned = 0;
                return Ok(!refused);
            }
            self.scanned = window.rest().len();
            if refused {
                window.consume(self.scanned);
                self.scanned = 0;
            } else if self.scanned > self.record_bytes_max {
                filling.push_malformed(window.line(), window.rest(), too_large(self.record_bytes_max));
                self.place = Place::InRefusedValue;
                return Ok(true);
            }
            if !window.fill() {
                window.end()?;
                let length = window.rest().len();
                let ended = self.scan.may_have_ended_array();
                self.place = if ended { Place::AfterArray } else { Place::BetweenValues };
                if !refused {
                    self.add(length, self.scan.may_end(), window, filling);
                }
                window.consume(length);
                self.scanned = 0;
                return Ok(!refused);
            }
        }
    }

    fn add(&mut self, length: usize, complete: bool, window: &Window, filling: &mut Filling) {
        let raw = &window.rest()[..length];
        let line = window.line();
        self.damaged |= self.scan.is_broken();
        if length > self.record_bytes_max {
            filling.push_malformed(line, raw, too_large(self.record_bytes_max));
        } else if let Some(problem) = judge(&self.scan, complete, self.json_depth_max) {
            filling.push_malformed(line, raw.trim_ascii_end(), problem);
        } else {
            filling.push_json(line, raw);
        }
    }
}

/// Splits a file into its lines, each a JSON value or empty.
pub(super) struct JsonLines {
    /// Bytes of the current line in which no line end was found.
    searched: usize,
    /// The current line was refused already: its bytes are passed over.
    refused: bool,
    record_bytes_max: usize,
    json_depth_max: u32,
}

impl JsonLines {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            searched: 0,
            refused: false,
            record_bytes_max: options.record_bytes_max,
            json_depth_max: options.json_depth_max,
        }
    }

    /// Adds the next line. False: there is none.
    pub(super) fn next(&mut self, window: &mut Window, filling: &mut Filling) -> Result<bool, FileError> {
        loop {
            let found =
                memchr(b'\n', &window.rest()[self.searched..]).map(|position| self.searched + position);
            let length = window.rest().len();
            if let Some(end) = found {
                if self.finish_line(end, end + 1, window, filling) {
                    return Ok(true);
                }
            } else if self.refused {
                window.consume(length);
                if !window.fill() {
                    return window.end().map(|()| false);
                }
            } else if length > self.record_bytes_max {
                filling.push_malformed(window.line(), window.rest(), too_large(self.record_bytes_max));
                window.consume(length);
                self.searched = 0;
                self.refused = true;
                return Ok(true);
            } else {
                self.searched = length;
                if !window.fill() {
                    window.end()?;
                    return Ok(length > 0 && self.finish_line(length, length, window, filling));
                }
            }
        }
    }

    /// Adds the line that ends at `end`, consumes it with its line end. False: it was refused before.
    fn finish_line(
        &mut self,
        end: usize,
        consumed: usize,
        window: &mut Window,
        filling: &mut Filling,
    ) -> bool {
        let refused = std::mem::take(&mut self.refused);
        if !refused {
            let raw = &window.rest()[..end];
            let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            self.add(raw, window.line(), filling);
        }
        window.consume(consumed);
        self.searched = 0;
        !refused
    }

    fn add(&self, raw: &[u8], line: u64, filling: &mut Filling) {
        if raw.len() > self.record_bytes_max {
            return filling.push_malformed(line, raw, too_large(self.record_bytes_max));
        }
        let value = raw.trim_ascii();
        let mut scan = Scan::new(false);
        let problem = match scan.feed(value) {
            _ if value.is_empty() => None,
            Step::End(end) if end < value.len() && !scan.is_broken() => Some(Problem {
                code: code::MALFORMED_ROW,
                message: "The line holds more than one JSON value. Put each value on a line of its own."
                    .to_owned(),
            }),
            Step::End(_) => judge(&scan, true, self.json_depth_max),
            Step::More => judge(&scan, scan.may_end(), self.json_depth_max),
        };
        match problem {
            Some(problem) => filling.push_malformed(line, raw, problem),
            None => filling.push_json(line, raw),
        }
    }
}

/// What is wrong with a value that was scanned to its end.
fn judge(scan: &Scan, complete: bool, json_depth_max: u32) -> Option<Problem> {
    if scan.deepest() > json_depth_max {
        let message = format!(
            "The JSON value is nested more than {json_depth_max} levels deep. Send it with fewer levels."
        );
        return Some(Problem { code: code::JSON_TOO_DEEP, message });
    }
    let message = if !complete {
        "The JSON value is cut off: a bracket or a string is not closed. Send the whole value again."
    } else if scan.is_broken() {
        "The brackets or quotes of the JSON value do not match. Correct them and send the value again."
    } else {
        return None;
    };
    Some(Problem { code: code::MALFORMED_ROW, message: message.to_owned() })
}

/// The problem of a record above the limit.
pub(super) fn too_large(record_bytes_max: usize) -> Problem {
    let message = format!(
        "The record has more than {record_bytes_max} bytes. Shorten it, or check for a missing line end or bracket."
    );
    Problem { code: code::RECORD_TOO_LARGE, message }
}
