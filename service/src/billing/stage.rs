//! A period rated on its way into the store: lines are copied to a stage as they are rated, and hashed as the CSV has them.

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::book::Book;
use super::facts::Facts;
use super::figures::Figures;
use super::files::csv::LineCsv;
use super::rating::{self, Labels, Passing};
use crate::database::TenantTx;
use crate::error::Error;
use crate::intake::copy::CopyRows;

/// A rated period whose lines wait in the stage.
pub(super) struct Staged {
    pub(super) book: Book,
    pub(super) figures: Figures,
    pub(super) lines: i64,
    /// SHA-256 of the plan and the actions.
    pub(super) input_hash: [u8; 32],
    /// SHA-256 of the CSV.
    pub(super) line_hash: [u8; 32],
}

const STAGE: &str = "CREATE TEMP TABLE bill_line_stage (line integer, action_id uuid, lead_user_id uuid, product_id uuid,
    lead_type text, action_type text, level text, occurred_at timestamptz, price bigint, billed bigint, over_cap bigint,
    fate text, duplicate_of uuid, reason text, late boolean, own_period text) ON COMMIT DROP";
const STAGE_COLUMNS: i16 = 16;
/// Bytes of one message to the database.
const PIECE_BYTES: usize = 1 << 18;

/// Rates the period and copies its lines to the stage, both at once; only the actions and the sums are held.
pub(super) async fn stage(tx: &mut TenantTx, book: Book, mut facts: Facts) -> Result<Staged, Error> {
    sqlx::query(STAGE).execute(tx.connection()).await?;
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(4);
    let rating = tokio::task::spawn_blocking(move || -> Result<Staged, Error> {
        let mut pen = Pen::begin(&book, sender)?;
        let summary = rating::run(&book, &mut facts, |labels, passing| pen.write(labels, passing));
        let figures = Figures::of(&book, &facts, &summary);
        let (lines, input_hash, line_hash) = pen.finish()?;
        Ok(Staged { book, figures, lines, input_hash, line_hash })
    });
    let mut copy =
        tx.connection().copy_in_raw("COPY pg_temp.bill_line_stage FROM STDIN WITH (FORMAT binary)").await?;
    while let Some(piece) = receiver.recv().await {
        copy.send(piece).await?;
    }
    let staged =
        rating.await.map_err(|error| Error::internal("rating a period", error)).and_then(|rated| rated);
    match staged {
        Ok(staged) => {
            copy.finish().await?;
            Ok(staged)
        }
        Err(error) => {
            copy.abort("the period could not be rated").await?;
            Err(error)
        }
    }
}

/// Writes lines as rows of the stage, and hashes them as the CSV has them.
struct Pen {
    rows: CopyRows,
    sender: mpsc::Sender<Vec<u8>>,
    csv: LineCsv<HashWriter>,
    inputs: Sha256,
    lines: i64,
    users: Vec<uuid::Uuid>,
    products: Vec<uuid::Uuid>,
    fault: Option<Error>,
}

impl Pen {
    fn begin(book: &Book, sender: mpsc::Sender<Vec<u8>>) -> Result<Self, Error> {
        let mut rows = CopyRows::default();
        rows.begin();
        let mut inputs = Sha256::new();
        let spec =
            serde_json::to_vec(&book.plan.spec).map_err(|error| Error::internal("hashing a plan", error))?;
        inputs.update(spec);
        inputs.update(format!("\n{}\n{}\n", book.period, book.zone));
        let csv = LineCsv::begin(HashWriter(Sha256::new()), book.rules.currency())
            .map_err(|error| Error::internal("writing lines", error))?;
        let users = book.users.iter().map(|(id, _)| *id).collect();
        let products = book.products.iter().map(|product| product.id).collect();
        Ok(Self { rows, sender, csv, inputs, lines: 0, users, products, fault: None })
    }

    fn write(&mut self, labels: &Labels<'_>, passing: &Passing<'_>) {
        let line = labels.line(passing);
        if let Err(error) = self.csv.write(&line) {
            self.fault.get_or_insert(Error::internal("writing lines", error));
        }
        self.lines = passing.line;
        let action = passing.action;
        let (user, product) = (self.users[action.user as usize], self.products[action.product as usize]);
        self.hash(passing, &line, user, product);
        let rows = &mut self.rows;
        rows.row(STAGE_COLUMNS);
        rows.integer(i32::try_from(passing.line).unwrap_or(i32::MAX));
        rows.uuid(action.id);
        rows.uuid(user);
        rows.uuid(product);
        rows.text(&line.lead_type);
        rows.text(&line.action_type);
        rows.text(&line.level);
        rows.moment(action.at);
        rows.bigint(passing.rated.price);
        rows.bigint(passing.rated.billed);
        rows.bigint(passing.rated.over_cap);
        rows.text(&line.fate);
        rows.optional_uuid(passing.duplicate_of());
        rows.optional_text(passing.reason());
        rows.boolean(passing.late);
        rows.optional_text(line.own_period.as_deref());
        if rows.waiting_bytes() >= PIECE_BYTES {
            // When the other end has gone, it has met an error and tells of it.
            let _ = self.sender.blocking_send(rows.take());
        }
    }

    fn hash(&mut self, passing: &Passing<'_>, line: &rating::Line, user: uuid::Uuid, product: uuid::Uuid) {
        for id in [passing.action.id, user, product] {
            self.inputs.update(id.as_bytes());
        }
        self.inputs.update(passing.action.at.to_be_bytes());
        for name in [&line.lead_type, &line.action_type, &line.level] {
            self.inputs.update(name.as_bytes());
            self.inputs.update(b"\0");
        }
    }

    fn finish(mut self) -> Result<(i64, [u8; 32], [u8; 32]), Error> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let last = self.rows.finish().to_vec();
        let _ = self.sender.blocking_send(last);
        let hash = self.csv.finish().map_err(|error| Error::internal("writing lines", error))?;
        Ok((self.lines, self.inputs.finalize().into(), hash.0.finalize().into()))
    }
}

/// Takes bytes for their hash alone.
struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
