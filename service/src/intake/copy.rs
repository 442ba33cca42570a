//! Rows in Postgres' binary COPY format, written straight into one reused buffer.
//!
//! Source: PostgreSQL documentation, `COPY`, "Binary Format"; arrays as `array_send` writes them.

use uuid::Uuid;

/// The `PGCOPY` signature, flags and header extension length.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Object id of type `text`, the element type of `text[]`.
const TEXT_OID: u32 = 25;
/// Version byte in front of a binary `jsonb`.
const JSONB_VERSION: u8 = 1;

/// Rows of one COPY. Columns must be written in the order of its column list.
#[derive(Default)]
pub struct CopyRows {
    bytes: Vec<u8>,
}

impl CopyRows {
    /// Empties the buffer and starts a new stream.
    pub fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(HEADER);
    }

    /// Starts a row of that many columns.
    pub fn row(&mut self, columns: i16) {
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    /// Ends the stream and gives its bytes.
    pub fn finish(&mut self) -> &[u8] {
        self.bytes.extend_from_slice(&TRAILER);
        &self.bytes
    }

    /// NULL, of any type.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// `uuid`.
    pub fn uuid(&mut self, value: Uuid) {
        self.field(value.as_bytes());
    }

    /// `uuid` or NULL.
    pub fn optional_uuid(&mut self, value: Option<Uuid>) {
        match value {
            Some(value) => self.uuid(value),
            None => self.null(),
        }
    }

    /// `integer`.
    pub fn integer(&mut self, value: i32) {
        self.field(&value.to_be_bytes());
    }

    /// `bigint`.
    pub fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    /// `timestamptz`, from microseconds since 1970.
    pub fn moment(&mut self, micros: i64) {
        /// Microseconds from 1970 to 2000, where Postgres counts from.
        const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
        self.bigint(micros - POSTGRES_EPOCH_MICROS);
    }

    /// What is written so far, to be sent on; the stream goes on after it.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// How many bytes wait to be taken.
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// `boolean`.
    pub fn boolean(&mut self, value: bool) {
        self.field(&[u8::from(value)]);
    }

    /// `text`. A NUL, which Postgres cannot store, becomes U+FFFD.
    pub fn text(&mut self, value: &str) {
        if value.contains('\0') {
            self.field(value.replace('\0', "\u{fffd}").as_bytes());
        } else {
            self.field(value.as_bytes());
        }
    }

    /// `text` or NULL.
    pub fn optional_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// `jsonb`, from JSON text. The text must not hold an escaped NUL, which Postgres refuses.
    pub fn jsonb(&mut self, json: &str) {
        self.length(1 + json.len());
        self.bytes.push(JSONB_VERSION);
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// `text[]`; NULL when there is no element.
    pub fn text_array(&mut self, values: &[impl AsRef<str>]) {
        if values.is_empty() {
            return self.null();
        }
        let size = 20 + values.iter().map(|value| 4 + value.as_ref().len()).sum::<usize>();
        self.length(size);
        for word in [1_u32, 0, TEXT_OID, u32::try_from(values.len()).unwrap_or(u32::MAX), 1] {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
        for value in values {
            self.field(value.as_ref().as_bytes());
        }
    }

    /// `uuid[]`; an empty array when there is no element.
    pub fn uuid_array(&mut self, values: &[Uuid]) {
        const UUID_OID: u32 = 2950;
        let dimensions = u32::from(!values.is_empty());
        self.length(12 + if values.is_empty() { 0 } else { 8 + values.len() * 20 });
        for word in [dimensions, 0, UUID_OID] {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
        if !values.is_empty() {
            for word in [u32::try_from(values.len()).unwrap_or(u32::MAX), 1] {
                self.bytes.extend_from_slice(&word.to_be_bytes());
            }
            for value in values {
                self.uuid(*value);
            }
        }
    }

    fn field(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        // A field is bounded by the reader's cell limit, far below 2 GiB.
        self.bytes.extend_from_slice(&i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
    }
}
